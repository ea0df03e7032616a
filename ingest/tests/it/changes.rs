//! What changed since the last run, and what is gone.

use std::path::Path;
use std::time::Duration;

use footnote_ingest::{Error, GoneDocuments, IngestOptions, Report};
use footnote_knowledge::collection::Filter;

use crate::files::Folder;
use crate::knowledge::Knowledge;

const LONG: &str = "The keeper lit the lamp at dusk and trimmed it at midnight. ";

/// Five documents.
fn folder() -> Folder {
    ["a", "b", "c", "d", "e"].iter().fold(Folder::new(), |folder, name| {
        folder.with(&format!("{name}.md"), format!("# Document {name}\n\n{}", LONG.repeat(3)))
    })
}

async fn ingest(knowledge: &Knowledge, path: &Path, options: IngestOptions) -> Result<Report, Error> {
    knowledge.ingest_with(&[path], &options).await
}

fn prune() -> IngestOptions {
    IngestOptions { gone: GoneDocuments::Remove, ..IngestOptions::default() }
}

#[tokio::test]
async fn documents_whose_files_are_gone_stay_until_they_are_to_be_removed() {
    let (knowledge, folder) = (Knowledge::new().await, folder());
    knowledge.ingest(folder.path()).await;
    std::fs::remove_file(folder.path().join("c.md")).unwrap();

    let report = knowledge.ingest(folder.path()).await;
    assert_eq!((report.unchanged, report.gone, report.removed), (4, 1, 0), "{report:?}");
    assert_eq!(knowledge.sources().await.len(), 5);

    let report = ingest(&knowledge, folder.path(), prune()).await.unwrap();
    assert_eq!((report.unchanged, report.gone, report.removed), (4, 0, 1), "{report:?}");
    assert_eq!(knowledge.sources().await, ["docs/a.md", "docs/b.md", "docs/d.md", "docs/e.md"]);
    assert!(knowledge.chunks("docs/c.md").await.is_empty());
}

#[tokio::test]
async fn more_than_one_in_five_are_only_removed_by_force() {
    let (knowledge, folder) = (Knowledge::new().await, folder());
    knowledge.ingest(folder.path()).await;
    for name in ["a.md", "b.md"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    folder.write("new.md", "New all the same.");
    let error = ingest(&knowledge, folder.path(), prune()).await.unwrap_err();
    assert!(matches!(error, Error::TooManyGone { gone: 2, of: 5 }), "{error:?}");
    assert!(error.to_string().contains("--prune --force"), "{error}");
    assert_eq!(knowledge.sources().await.len(), 6);

    let by_force = IngestOptions { gone: GoneDocuments::RemoveHoweverMany, ..IngestOptions::default() };
    assert_eq!(ingest(&knowledge, folder.path(), by_force).await.unwrap().removed, 2);
    assert_eq!(knowledge.sources().await, ["docs/c.md", "docs/d.md", "docs/e.md", "docs/new.md"]);
}

#[tokio::test]
async fn only_what_was_below_the_given_path_can_be_gone() {
    let (knowledge, folder) = (Knowledge::new().await, folder().with("sub/x.md", "X.").with("sub/y.md", "Y."));
    knowledge.ingest(folder.path()).await;
    std::fs::remove_file(folder.path().join("a.md")).unwrap();
    std::fs::remove_file(folder.path().join("sub/x.md")).unwrap();
    // Two of seven, but one of the two that are asked about.
    let by_force = IngestOptions { gone: GoneDocuments::RemoveHoweverMany, ..IngestOptions::default() };
    let (whole, sub) = (folder.path().to_owned(), folder.path().join("sub/y.md"));
    let report = knowledge.ingest_with(&[&sub], &by_force).await.unwrap();
    assert_eq!(report.removed, 0, "{report:?}");
    let report = knowledge.ingest_with(&[&whole], &by_force).await.unwrap();
    assert_eq!(report.removed, 2, "{report:?}");
}

#[tokio::test]
async fn what_cannot_be_read_at_the_moment_is_not_gone() {
    let (knowledge, folder) = (Knowledge::new().await, folder());
    knowledge.ingest(folder.path()).await;
    // Still there, but no text any more.
    folder.write("a.md", b"\0\0\0\0".as_slice());
    folder.write("b.md", "");
    let report = ingest(&knowledge, folder.path(), prune()).await.unwrap();
    assert_eq!((report.removed, report.failed.len(), report.skipped.len()), (0, 1, 1), "{report:?}");
    assert_eq!(knowledge.sources().await.len(), 5);
}

#[tokio::test]
async fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let (knowledge, folder) = (Knowledge::new().await, folder());
    knowledge.ingest(folder.path()).await;
    let before = knowledge.documents().await;
    std::fs::remove_file(folder.path().join("a.md")).unwrap();
    folder.write("b.md", "# Changed\n\nOther words.");
    folder.write("new.md", "New.");
    let options = IngestOptions { dry_run: true, ..prune() };
    let report = ingest(&knowledge, folder.path(), options).await.unwrap();
    let plan = (report.added, report.updated, report.unchanged, report.removed);
    assert_eq!(plan, (1, 1, 3, 1), "{report:?}");
    assert_eq!(knowledge.documents().await, before);
}

#[tokio::test]
async fn a_renamed_file_keeps_its_vectors() {
    let (knowledge, folder) = (Knowledge::new().await, folder().with("plain.txt", LONG.repeat(40)));
    knowledge.ingest(folder.path()).await;
    std::fs::rename(folder.path().join("a.md"), folder.path().join("moved.md")).unwrap();
    // Its title is its name, and another now.
    std::fs::rename(folder.path().join("plain.txt"), folder.path().join("other.txt")).unwrap();
    let before = knowledge.vectors_of("docs/plain.txt").await;
    let options = IngestOptions { gone: GoneDocuments::RemoveHoweverMany, ..IngestOptions::default() };
    let report = ingest(&knowledge, folder.path(), options).await.unwrap();
    assert_eq!((report.added, report.removed), (2, 2), "{report:?}");
    assert_eq!(report.reused, report.chunks, "{report:?}");
    let after = knowledge.vectors_of("docs/other.txt").await;
    assert_eq!(after.len(), before.len());
    let equal = |one: &[f32], other: &[f32]| one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-6);
    assert!(after.iter().zip(&before).all(|(one, other)| equal(one, other)));
    assert_eq!(
        knowledge.documents().await.iter().find(|document| document.source == "docs/other.txt").unwrap().title,
        "other"
    );
}

#[tokio::test]
async fn of_a_changed_file_only_what_changed_is_embedded() {
    let sections: String = (0..20).map(|n| format!("# Section {n}\n\n{}\n\n", LONG.repeat(8))).collect();
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("long.md", &sections));
    let first = knowledge.ingest(folder.path()).await;
    assert_eq!(first.reused, 0, "{first:?}");
    folder.write("long.md", sections.replace("# Section 7\n\n", "# Section 7\n\nNew words here. "));
    let second = knowledge.ingest(folder.path()).await;
    assert_eq!(second.updated, 1);
    assert!(second.reused >= second.chunks - 3 && second.reused < second.chunks, "{second:?}");
}

#[tokio::test]
async fn the_same_text_is_embedded_once() {
    let text = format!("# A title\n\n{}", LONG.repeat(30));
    let folder = (0..6).fold(Folder::new(), |folder, n| folder.with(&format!("copy-{n}.md"), &text));
    let report = Knowledge::new().await.ingest(folder.path()).await;
    assert_eq!(report.added, 6);
    assert_eq!(report.chunks - report.reused, report.chunks / 6, "{report:?}");
}

/// Whoever waits for a turn to read is given it in the order of asking: a stage that is not looking must not be next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_comes_to_its_end_while_others_read() {
    let (knowledge, folder) = (Knowledge::new().await, folder());
    knowledge.ingest(folder.path()).await;
    // Their vectors are known at once, so that documents wait to be written.
    for number in 0..2000 {
        folder.write(&format!("{number}.md"), format!("---\nnumber: {number}\n---\n# Bread\n\nRye.\n"));
    }
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let collection = knowledge.collection.clone();
            tokio::spawn(async move {
                loop {
                    collection.all_documents(&Filter::default()).await.unwrap();
                }
            })
        })
        .collect();
    let run = ingest(&knowledge, folder.path(), IngestOptions::default());
    let report = tokio::time::timeout(Duration::from_secs(600), run).await.expect("it ends").unwrap();
    assert_eq!(report.added, 2000);
    readers.iter().for_each(tokio::task::JoinHandle::abort);
}
