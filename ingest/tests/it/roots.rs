//! What documents are called, and whose names they are.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use footnote_ingest::{Error, IngestOptions};

use crate::files::Folder;
use crate::knowledge::Knowledge;

fn named(name: &str) -> IngestOptions {
    IngestOptions { root_name: Some(name.to_owned()), ..IngestOptions::default() }
}

fn bread(text: &str) -> Folder {
    Folder::new().with("bread.md", text)
}

#[tokio::test]
async fn another_folder_of_the_same_name_is_refused_in_a_later_run() {
    let (knowledge, one, other) = (Knowledge::new().await, bread("Rye."), bread("Wheat."));
    knowledge.ingest(one.path()).await;
    for path in [other.path().to_owned(), other.path().join("bread.md")] {
        let error = knowledge.ingest_with(&[path.as_path()], &IngestOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::Paths(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(one.path().to_str().unwrap()) && text.contains("--root-name"), "{text}");
    }
    assert_eq!(knowledge.text("docs/bread.md").await, "Rye.");
    knowledge.ingest_with(&[other.path()], &named("wheat")).await.unwrap();
    assert_eq!(knowledge.sources().await, ["docs/bread.md", "wheat/bread.md"]);
    // Each is still itself to the other.
    assert_eq!(knowledge.ingest(one.path()).await.unchanged, 1);
}

#[tokio::test]
async fn a_name_given_by_hand_says_that_it_is_the_same_folder() {
    let (knowledge, one, other) = (Knowledge::new().await, bread("Rye."), bread("Rye."));
    knowledge.ingest(one.path()).await;
    let report = knowledge.ingest_with(&[other.path()], &named("docs")).await.unwrap();
    assert_eq!(report.unchanged, 1, "{report:?}");
    // From now on it is there, and the first folder is another one.
    assert_eq!(knowledge.ingest(other.path()).await.unchanged, 1);
    knowledge.ingest_with(&[one.path()], &IngestOptions::default()).await.unwrap_err();
}

#[tokio::test]
async fn a_folder_that_was_moved_keeps_its_documents() {
    let (knowledge, folder, elsewhere) = (Knowledge::new().await, bread("Rye."), tempfile::tempdir().unwrap());
    knowledge.ingest(folder.path()).await;
    let moved = elsewhere.path().join("docs");
    std::fs::rename(folder.path(), &moved).unwrap();
    assert_eq!(knowledge.ingest(&moved).await.unchanged, 1);
    // It has not been there again since.
    std::fs::create_dir(folder.path()).unwrap();
    folder.write("bread.md", "Wheat.");
    knowledge.ingest_with(&[folder.path()], &IngestOptions::default()).await.unwrap_err();
}

#[tokio::test]
async fn a_name_without_documents_is_free() {
    let (knowledge, one, other) = (Knowledge::new().await, bread("Rye."), bread("Wheat."));
    knowledge.ingest(one.path()).await;
    knowledge.collection.delete_document(knowledge.collection.document_id("docs/bread.md")).await.unwrap();
    knowledge.ingest(other.path()).await;
    assert_eq!(knowledge.text("docs/bread.md").await, "Wheat.");
}

#[tokio::test]
async fn a_link_to_a_folder_lends_its_own_name_and_stays_one_root() {
    let knowledge = Knowledge::new().await;
    let place = Folder::new().with("release-1/bread.md", "Rye.").with("release-2/bread.md", "Wheat.");
    let link = place.path().join("current");
    symlink("release-1", &link).unwrap();
    knowledge.ingest(&link).await;
    std::fs::remove_file(&link).unwrap();
    symlink("release-2", &link).unwrap();
    let report = knowledge.ingest(&link.join("../current")).await;
    assert_eq!(report.updated, 1, "{report:?}");
    assert_eq!(knowledge.sources().await, ["current/bread.md"]);
    assert_eq!(knowledge.text("current/bread.md").await, "Wheat.");
}

#[tokio::test]
async fn what_lies_inside_another_given_folder_is_called_as_part_of_it() {
    let knowledge = Knowledge::new().await;
    let folder = Folder::new()
        .with("bread.md", "Rye.")
        .with("cakes/tart.md", "Plums.")
        .with("cakes/.secret.txt", "Cinnamon.")
        .with("cakes/empty.txt", "");
    let cakes = folder.path().join("cakes");
    let paths: [&Path; 4] = [&cakes, folder.path(), &cakes.join("tart.md"), &cakes.join(".secret.txt")];
    let report = knowledge.ingest_with(&paths, &IngestOptions::default()).await.unwrap();
    assert_eq!((report.files, report.added, report.skipped.len()), (4, 3, 1), "{report:?}");
    assert_eq!(knowledge.sources().await, ["docs/bread.md", "docs/cakes/.secret.txt", "docs/cakes/tart.md"]);
}

#[tokio::test]
async fn a_folder_above_the_root_may_be_called_anything() {
    let (knowledge, place) = (Knowledge::new().await, Folder::new());
    let folder = place.path().join(Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9"))).join("menus");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("monday.txt"), "Soup.").unwrap();
    let report = knowledge.ingest(&folder).await;
    assert_eq!((report.added, report.failed.len()), (1, 0), "{report:?}");
    assert_eq!(knowledge.sources().await, ["menus/monday.txt"]);
}

#[tokio::test]
async fn two_names_that_differ_in_a_broken_byte_are_not_one_document() {
    let (knowledge, folder) = (Knowledge::new().await, Folder::new());
    for name in [b"caf\xe9.txt".as_slice(), b"caf\xea.txt"] {
        let file = folder.path().join(Path::new(std::ffi::OsStr::from_bytes(name)));
        std::fs::write(&file, "Text.").unwrap();
        let report = knowledge.ingest(&file).await;
        assert_eq!(report.failed[0].reason, "the name is not valid UTF-8", "{report:?}");
    }
    assert!(knowledge.sources().await.is_empty());
}

#[tokio::test]
async fn a_document_without_a_title_is_called_after_its_file_alone() {
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("---.txt", "Rye."));
    knowledge.ingest(folder.path()).await;
    assert_eq!(knowledge.documents().await[0].title, "---.txt");
}
