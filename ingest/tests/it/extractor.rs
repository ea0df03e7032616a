//! Files that make a parser crash, hang or swallow memory cost themselves only.

use std::path::PathBuf;
use std::time::Duration;

use footnote_ingest::extract::{ExtractError, ExtractOptions, Format};
use footnote_ingest::{Extractor, IngestOptions, Limits};

use crate::files::{self, Folder};
use crate::knowledge::Knowledge;

fn in_processes(limits: Limits) -> Extractor {
    Extractor::in_processes(PathBuf::from(env!("CARGO_BIN_EXE_ingest")), limits)
}

async fn extract(extractor: &Extractor, format: Format, bytes: Vec<u8>) -> Result<String, ExtractError> {
    let extracted = extractor.extract("a", format, bytes, &ExtractOptions::default()).await;
    extracted.map(|extracted| extracted.text)
}

#[tokio::test]
async fn a_process_reads_one_file_after_another() {
    let extractor = in_processes(Limits::default());
    let pdf = files::pdf(&[&["Good bread."]]);
    for _ in 0..3 {
        assert_eq!(extract(&extractor, Format::Markdown, b"# Bread\n".to_vec()).await.unwrap(), "# Bread\n");
        assert!(extract(&extractor, Format::Pdf, pdf.clone()).await.unwrap().contains("Good bread."));
        let damaged = extract(&extractor, Format::Pdf, pdf[..100].to_vec()).await;
        assert!(matches!(damaged, Err(ExtractError::Damaged(_))), "{damaged:?}");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_ended() {
    let extractor = in_processes(Limits { time: Duration::from_millis(1), ..Limits::default() });
    let page = format!("<html><body>{}</body></html>", "<p>bread</p>".repeat(200_000));
    let outcome = extract(&extractor, Format::Html, page.into_bytes()).await;
    assert!(matches!(outcome, Err(ExtractError::TimedOut(_))), "{outcome:?}");
}

#[tokio::test]
async fn what_wants_too_much_memory_ends_its_process_and_the_next_file_has_another() {
    // Enough for the program, its stack and a small file.
    let extractor = in_processes(Limits { memory: 600 << 20, ..Limits::default() });
    let page = format!("<html><body>{}</body></html>", "<p>b</p>".repeat(1_900_000));
    let outcome = extract(&extractor, Format::Html, page.into_bytes()).await;
    assert_eq!(outcome, Err(ExtractError::Crashed));
    assert_eq!(extract(&extractor, Format::Markdown, b"Bread.\n".to_vec()).await.unwrap(), "Bread.\n");
}

#[tokio::test]
async fn a_program_that_is_no_such_process_fails_each_file_by_itself() {
    let extractor = Extractor::in_processes(PathBuf::from("/bin/false"), Limits::default());
    assert_eq!(extract(&extractor, Format::Markdown, b"Bread.\n".to_vec()).await, Err(ExtractError::Crashed));
    let extractor = Extractor::in_processes(PathBuf::from("/not/there"), Limits::default());
    let outcome = extract(&extractor, Format::Markdown, b"Bread.\n".to_vec()).await;
    assert!(matches!(outcome, Err(ExtractError::NoProcess(_))), "{outcome:?}");
}

#[tokio::test]
async fn the_result_is_the_same_wherever_files_are_parsed() {
    let folder = Folder::new()
        .with("a.md", "# Bread\n\nRye.")
        .with("b.pdf", files::pdf(&[&["Wheat."], &["Second page."]]))
        .with("c.txt", "Plain.")
        .with("d.html", "<html><body><h1>Page</h1><p>Text.</p></body></html>");
    let (here, elsewhere) = (Knowledge::new().await, Knowledge::new().await);
    here.ingest(folder.path()).await;
    let options = IngestOptions { extractor: in_processes(Limits::default()), ..IngestOptions::default() };
    elsewhere.ingest_with(&[folder.path()], &options).await.unwrap();
    for source in here.sources().await {
        let comparable = |mut chunks: Vec<footnote_knowledge::collection::Chunk>| {
            chunks.iter_mut().for_each(|chunk| chunk.ingested_at = Default::default());
            chunks
        };
        let (one, other) = (here.chunks(&source).await, elsewhere.chunks(&source).await);
        assert_eq!(comparable(one), comparable(other), "{source}");
    }
}
