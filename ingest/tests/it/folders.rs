//! Whole folders, into the collection and again.

use std::collections::BTreeSet;

use footnote_ingest::{Error, Event, IngestOptions, Outcome};

use crate::files::{self, Folder};
use crate::knowledge::Knowledge;

fn library() -> Folder {
    Folder::new()
        .with("bread.md", "# Bread\n\nFlour, water, salt and time.\n")
        .with("deep/down/yeast.txt", "Yeast is a fungus.")
        .with("page.html", "<html><head><title>Ovens</title></head><body><p>An oven is hot.</p></body></html>")
        .with("manual.pdf", files::pdf(&[&["How to knead."], &["How to bake."]]))
}

#[tokio::test]
async fn every_format_is_in_the_collection() {
    let (knowledge, folder) = (Knowledge::new().await, library());
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!((report.files, report.added, report.failed.len()), (4, 4, 0), "{report:?}");
    assert_eq!(
        knowledge.sources().await,
        ["docs/bread.md", "docs/deep/down/yeast.txt", "docs/manual.pdf", "docs/page.html"]
    );
    let chunks = knowledge.chunks("docs/bread.md").await;
    assert_eq!(chunks.len(), 1);
    assert_eq!((chunks[0].title.as_str(), chunks[0].heading.as_deref()), ("Bread", None));
    assert_eq!((chunks[0].start, chunks[0].end), (0, 38));
    assert_eq!(knowledge.text("docs/deep/down/yeast.txt").await, "Yeast is a fungus.");
    assert_eq!(knowledge.chunks("docs/manual.pdf").await[0].page, Some(1));
    assert_eq!(knowledge.documents().await[3].title, "Ovens");
}

#[tokio::test]
async fn running_it_again_changes_nothing() {
    let (knowledge, folder) = (Knowledge::new().await, library());
    knowledge.ingest(folder.path()).await;
    let before = knowledge.documents().await;
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!((report.files, report.unchanged, report.chunks), (4, 4, 0), "{report:?}");
    assert_eq!(knowledge.documents().await, before);
}

#[tokio::test]
async fn a_changed_file_replaces_its_document() {
    let (knowledge, folder) = (Knowledge::new().await, library());
    knowledge.ingest(folder.path()).await;
    let before = knowledge.documents().await;
    folder.write("bread.md", "# Bread\n\nNow with rye.\n");
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!((report.added, report.updated, report.unchanged), (0, 1, 3), "{report:?}");
    assert_eq!(knowledge.text("docs/bread.md").await, "# Bread\n\nNow with rye.\n");
    let after = knowledge.documents().await;
    assert_eq!(after[0].id, before[0].id);
    assert_ne!(after[0].version, before[0].version);
    assert_eq!(after[1..], before[1..]);
}

#[tokio::test]
async fn the_same_content_twice_is_two_documents() {
    let knowledge = Knowledge::new().await;
    let folder = Folder::new().with("a.txt", "The same text.").with("b.txt", "The same text.");
    knowledge.ingest(folder.path()).await;
    let documents = knowledge.documents().await;
    assert_eq!(documents.len(), 2);
    assert_ne!(documents[0].id, documents[1].id);
    assert_eq!(documents[0].content_hash, documents[1].content_hash);
}

#[tokio::test]
async fn what_the_folder_says_to_ignore_is_ignored() {
    let knowledge = Knowledge::new().await;
    let folder = Folder::new()
        .with("kept.txt", "Kept.")
        .with("build/made.txt", "Made.")
        .with("drafts/new.md", "A draft.")
        .with(".hidden.txt", "Hidden.")
        .with(".git/notes.txt", "Git's own.")
        .with(".gitignore", "build/\n")
        .with(".footnoteignore", "drafts/\n");
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!(knowledge.sources().await, ["docs/kept.txt"]);
    assert_eq!(report.files, 1);
}

#[tokio::test]
async fn a_file_is_called_as_if_its_folder_had_been_given() {
    let (knowledge, folder) = (Knowledge::new().await, library());
    knowledge.ingest(&folder.path().join("bread.md")).await;
    assert_eq!(knowledge.sources().await, ["docs/bread.md"]);
    // And the folder then finds it unchanged; a file given beside its folder is one file.
    let file = folder.path().join("bread.md");
    let report = knowledge.ingest_with(&[folder.path(), &file], &IngestOptions::default()).await.unwrap();
    assert_eq!((report.files, report.added, report.unchanged), (4, 3, 1), "{report:?}");
}

#[tokio::test]
async fn the_root_can_be_named() {
    let (knowledge, folder) = (Knowledge::new().await, library());
    let options = IngestOptions { root_name: Some("kitchen".to_owned()), ..IngestOptions::default() };
    knowledge.ingest_with(&[folder.path()], &options).await.unwrap();
    assert!(knowledge.sources().await.iter().all(|source| source.starts_with("kitchen/")));
}

#[tokio::test]
async fn two_folders_of_one_name_are_refused() {
    let knowledge = Knowledge::new().await;
    let (one, other) = (library(), library());
    let error = knowledge.ingest_with(&[one.path(), other.path()], &IngestOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Paths(_)), "{error}");
    assert!(error.to_string().contains("--root-name"), "{error}");
    assert!(knowledge.sources().await.is_empty());
}

#[tokio::test]
async fn a_name_that_would_leave_the_root_is_refused() {
    let (knowledge, folder) = (Knowledge::new().await, library());
    for name in ["", "a/b", "a\\b", "..", "a\nb"] {
        let options = IngestOptions { root_name: Some(name.to_owned()), ..IngestOptions::default() };
        let error = knowledge.ingest_with(&[folder.path()], &options).await.unwrap_err();
        assert!(matches!(error, Error::Paths(_)), "{name:?}: {error}");
    }
}

#[tokio::test]
async fn tags_are_kept_until_others_are_given() {
    let knowledge = Knowledge::new().await;
    let folder = Folder::new().with("a.txt", "Tagged.");
    let with_tags = |tags: &[&str]| IngestOptions {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..Default::default()
    };

    knowledge.ingest_with(&[folder.path()], &with_tags(&["b", "a", "b"])).await.unwrap();
    assert_eq!(knowledge.documents().await[0].tags, ["a", "b"]);
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!(report.unchanged, 1);
    let report = knowledge.ingest_with(&[folder.path()], &with_tags(&["c"])).await.unwrap();
    assert_eq!(report.updated, 1);
    folder.write("a.txt", "Changed.");
    knowledge.ingest(folder.path()).await;
    assert_eq!(knowledge.documents().await[0].tags, ["c"]);
    assert_eq!(knowledge.chunks("docs/a.txt").await[0].tags, ["c"]);
}

#[tokio::test]
async fn progress_tells_of_every_file() {
    let knowledge = Knowledge::new().await;
    let folder = library().with("empty.txt", "");
    let (report, events) = knowledge.ingest_and_watch(folder.path()).await;
    let done: BTreeSet<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::FileDone { source, outcome } => Some((source.as_str(), matches!(outcome, Outcome::Added { .. }))),
            _ => None,
        })
        .collect();
    let expected = [
        ("docs/bread.md", true),
        ("docs/deep/down/yeast.txt", true),
        ("docs/empty.txt", false),
        ("docs/manual.pdf", true),
        ("docs/page.html", true),
    ];
    assert_eq!(done, BTreeSet::from(expected));
    assert!(events.contains(&Event::DiscoveryDone { files: 5 }), "{events:?}");
    let embedded: usize =
        events.iter().map(|event| if let Event::Embedded { chunks } = event { *chunks } else { 0 }).sum();
    assert_eq!(embedded, report.chunks);
}

#[tokio::test]
async fn a_document_of_many_chunks_is_whole() {
    let knowledge = Knowledge::new().await;
    let text: String = (0..900).map(|number| format!("Beacon number {number} stands on its own rock. ")).collect();
    let folder = Folder::new().with("beacons.txt", &text);
    let report = knowledge.ingest(folder.path()).await;
    assert!(report.chunks > 32, "{report:?}");
    assert_eq!(knowledge.text("docs/beacons.txt").await, text);
    let numbers: Vec<_> = knowledge.chunks("docs/beacons.txt").await.iter().map(|chunk| chunk.number).collect();
    assert_eq!(numbers, (0..report.chunks).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_can_ingest_in_the_background() {
    let (knowledge, folder) = (Knowledge::new().await, library());
    let in_background = tokio::spawn(async move { knowledge.ingest(folder.path()).await });
    assert_eq!(in_background.await.unwrap().added, 4);
}
