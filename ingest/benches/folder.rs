//! How fast a folder is taken in, and how fast it is then found to be unchanged, with the built-in model and engine and
//! with files parsed in processes of their own:
//!
//! ```text
//! cargo bench --bench folder -- PATH            # a folder of yours
//! cargo bench --bench folder -- --small 20000   # so many notes of 60 words; one in ten has words of its own
//! ```

use std::path::{Path, PathBuf};

use footnote_ingest::{Extractor, IngestOptions, Limits, ingest};
use footnote_knowledge::collection::Collection;
use footnote_knowledge::embedding::{Embedder, LocalEmbedder};
use footnote_knowledge::vector_store::VectorStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let folder = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--small", notes] => write_notes(&place.path().join("notes"), notes.parse()?)?,
        [folder] => PathBuf::from(folder),
        _ => {
            println!("which folder? cargo bench --bench folder -- PATH, or --small NUMBER");
            return Ok(());
        }
    };
    let embedder = Embedder::Local(LocalEmbedder::open().await?);
    let store = VectorStore::open_embedded(&place.path().join("vectors")).await?;
    let collection = Collection::open(store, "documents", &embedder.identity()).await?;
    let extractor = Extractor::in_processes(PathBuf::from(env!("CARGO_BIN_EXE_ingest")), Limits::default());
    let options = IngestOptions { extractor, ..IngestOptions::default() };
    for run in ["first", "again"] {
        let report = ingest(std::slice::from_ref(&folder), &collection, &embedder, &options, &|_| {}).await;
        let report = report.map_err(|stopped| stopped.error)?;
        println!(
            "{run}: {} files in {:.2} s: {} added, {} unchanged, {} skipped, {} failed; {} chunks, {} of them with vectors \
             known before",
            report.files,
            report.seconds,
            report.added,
            report.unchanged,
            report.skipped.len(),
            report.failed.len(),
            report.chunks,
            report.reused
        );
        println!("{run}: stages busy for {:?}; peak memory {} MiB", report.stages, peak_memory_mib()?);
    }
    Ok(())
}

fn write_notes(folder: &Path, notes: usize) -> std::io::Result<PathBuf> {
    for number in 0..notes {
        let part = folder.join(format!("{:03}", number / 500));
        std::fs::create_dir_all(&part)?;
        let topic = number % (notes / 10).max(1);
        let words: Vec<String> = (0..60).map(|word| format!("word{}", (topic * 31 + word * word) % 997)).collect();
        std::fs::write(part.join(format!("{number:06}.md")), format!("# Note {topic}\n\n{}.\n", words.join(" ")))?;
    }
    Ok(folder.to_owned())
}

/// The most memory this process has had, as Linux counts it.
fn peak_memory_mib() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
}
