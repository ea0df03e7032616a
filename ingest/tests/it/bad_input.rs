//! Each kind of file that cannot be ingested is reported by name, with a reason, and the rest is ingested.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;

use footnote_ingest::{Error, GoneDocuments, IngestOptions, Report};

use crate::files::{self, Folder};
use crate::knowledge::Knowledge;

/// Ingests the folder beside a good file, which must arrive whatever else there is.
async fn ingest_beside_a_good_file(folder: &Folder) -> Report {
    folder.write("good.txt", "Good bread.");
    let knowledge = Knowledge::new().await;
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!(knowledge.sources().await, ["docs/good.txt"], "{report:?}");
    report
}

async fn assert_fails(name: &str, content: impl AsRef<[u8]>, reason: &str) {
    let report = ingest_beside_a_good_file(&Folder::new().with(name, content)).await;
    let [failure] = report.failed.as_slice() else { panic!("{report:?}") };
    assert_eq!(failure.source, format!("docs/{name}"));
    assert!(failure.reason.contains(reason), "{failure:?}");
    assert!(!failure.advice.is_empty());
}

async fn assert_skips(folder: &Folder, name: &str, reason: &str) {
    let report = ingest_beside_a_good_file(folder).await;
    let [skipped] = report.skipped.as_slice() else { panic!("{report:?}") };
    assert_eq!(skipped.source, format!("docs/{name}"));
    assert!(skipped.reason.contains(reason), "{skipped:?}");
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_named_and_the_rest_ingested() {
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("good.txt", "Good bread."));
    let missing = folder.path().join("not-there");
    let report = knowledge.ingest_with(&[&missing, folder.path()], &IngestOptions::default()).await.unwrap();
    let [failure] = report.failed.as_slice() else { panic!("{report:?}") };
    assert_eq!(failure.source, missing.to_str().unwrap());
    assert_eq!(failure.reason, "there is no such file or folder");
    assert_eq!(knowledge.sources().await, ["docs/good.txt"]);
}

#[tokio::test]
async fn a_folder_that_is_gone_keeps_its_documents() {
    let knowledge = Knowledge::new().await;
    let (folder, parent) = (Folder::new().with("good.txt", "Good bread."), tempfile::tempdir().unwrap());
    let notes = parent.path().join("notes");
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("rye.txt"), "Rye bread.").unwrap();
    let both = [folder.path(), notes.as_path()];
    knowledge.ingest_with(&both, &IngestOptions::default()).await.unwrap();

    std::fs::remove_dir_all(&notes).unwrap();
    let prune = IngestOptions { gone: GoneDocuments::RemoveHoweverMany, ..IngestOptions::default() };
    let report = knowledge.ingest_with(&both, &prune).await.unwrap();
    assert_eq!((report.removed, report.unchanged, report.failed.len()), (0, 1, 1), "{report:?}");
    assert_eq!(knowledge.sources().await, ["docs/good.txt", "notes/rye.txt"]);
}

#[tokio::test]
async fn where_no_path_leads_anywhere_nothing_is_done() {
    let (knowledge, folder) = (Knowledge::new().await, Folder::new());
    let missing = [folder.path().join("not-there"), folder.path().join("nor-this")];
    let missing: Vec<&Path> = missing.iter().map(AsRef::as_ref).collect();
    let error = knowledge.ingest_with(&missing, &IngestOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Paths(_)));
    assert!(error.to_string().contains("not-there"), "{error}");
    assert!(knowledge.sources().await.is_empty());
}

#[tokio::test]
async fn a_path_that_is_gone_keeps_no_name_and_hides_no_file() {
    let (knowledge, place) = (Knowledge::new().await, tempfile::tempdir().unwrap());
    let (here, elsewhere) = (place.path().join("here/notes"), place.path().join("there/notes"));
    for (folder, file) in [(&here, "rye.txt"), (&elsewhere, "wheat.txt")] {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(file), "Bread.").unwrap();
    }
    std::fs::create_dir(here.join("old")).unwrap();
    std::fs::write(here.join("old/barley.txt"), "Barley bread.").unwrap();
    knowledge.ingest(&here).await;

    // A folder inside of another is no folder of its own: what was in it is gone.
    std::fs::remove_dir_all(here.join("old")).unwrap();
    let prune = IngestOptions { gone: GoneDocuments::RemoveHoweverMany, ..IngestOptions::default() };
    let report = knowledge.ingest_with(&[&here, &here.join("old")], &prune).await.unwrap();
    assert_eq!((report.removed, report.failed.len()), (1, 1), "{report:?}");

    // Another of the same name may not take its place while it is away.
    std::fs::rename(&here, place.path().join("here/moved")).unwrap();
    let error = knowledge.ingest_with(&[&here, &elsewhere], &IngestOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("would both be called \"notes\""), "{error}");
    assert_eq!(knowledge.sources().await, ["notes/rye.txt"]);
}

#[tokio::test]
async fn a_binary_called_txt() {
    assert_fails("program.txt", [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 200]].concat(), "binary data").await;
}

#[tokio::test]
async fn a_truncated_pdf() {
    let whole = files::pdf(&[&["This file breaks off."; 40]]);
    assert_fails("cut.pdf", &whole[..whole.len() / 2], "breaks off").await;
}

#[tokio::test]
async fn an_encrypted_pdf() {
    assert_fails("secret.pdf", files::encrypted_pdf(), "encrypted").await;
}

#[tokio::test]
async fn a_pdf_without_text() {
    assert_fails("scan.pdf", files::pdf_without_text(), "no text").await;
}

#[tokio::test]
async fn an_empty_file() {
    assert_skips(&Folder::new().with("empty.txt", ""), "empty.txt", "empty").await;
}

#[tokio::test]
async fn a_file_of_another_format() {
    assert_skips(&Folder::new().with("photo.jpg", b"\xff\xd8\xff\xe0"), "photo.jpg", "not a format").await;
}

#[tokio::test]
async fn a_file_of_another_format_that_was_asked_for_has_failed() {
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("photo.jpg", b"\xff\xd8\xff\xe0"));
    let report = knowledge.ingest(&folder.path().join("photo.jpg")).await;
    assert_eq!((report.skipped.len(), report.failed.len()), (0, 1), "{report:?}");
}

#[tokio::test]
async fn latin_1_text_is_read() {
    let knowledge = Knowledge::new().await;
    let folder =
        Folder::new().with("menu.txt", b"Caf\xe9 cr\xe8me et g\xe2teau \xe0 la fra\xeeche, \xe9t\xe9 comme hiver.");
    knowledge.ingest(folder.path()).await;
    assert_eq!(knowledge.text("docs/menu.txt").await, "Café crème et gâteau à la fraîche, été comme hiver.");
}

#[tokio::test]
async fn a_symlink_loop() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    symlink(folder.path(), folder.path().join("inner/back")).unwrap();
    assert_skips(&folder, "inner/back", "loop").await;
}

#[tokio::test]
async fn a_symlink_to_itself() {
    let folder = Folder::new();
    symlink("round", folder.path().join("round")).unwrap();
    assert_skips(&folder, "round", "itself").await;
}

#[tokio::test]
async fn a_symlink_out_of_the_folder() {
    let (folder, outside) = (Folder::new(), Folder::new().with("private.txt", "Not asked for."));
    symlink(outside.path().join("private.txt"), folder.path().join("link.txt")).unwrap();
    assert_skips(&folder, "link.txt", "out of the folder").await;
}

#[tokio::test]
async fn a_pipe_is_not_waited_for() {
    let folder = Folder::new();
    let pipe = folder.path().join("pipe.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_skips(&folder, "pipe.txt", "not a regular file").await;
    let knowledge = Knowledge::new().await;
    assert_eq!(knowledge.ingest(&pipe).await.skipped.len(), 1);
}

/// Permissions keep nobody out who is the superuser, as in a container; this file gives nothing to anyone.
#[tokio::test]
async fn a_file_that_cannot_be_read() {
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("good.txt", "Good bread."));
    let paths = [folder.path(), Path::new("/proc/self/mem")];
    let report = knowledge.ingest_with(&paths, &IngestOptions::default()).await.unwrap();
    assert_eq!(knowledge.sources().await, ["docs/good.txt"], "{report:?}");
    assert!(report.failed[0].source.ends_with("/mem"), "{report:?}");
    assert!(report.failed[0].reason.starts_with("cannot be read: "), "{report:?}");
}

/// A file of so many MiB that takes no space.
fn sparse(folder: &Folder, name: &str, begins: &[u8], mebibytes: u64) {
    folder.write(name, begins);
    File::options().write(true).open(folder.path().join(name)).unwrap().set_len(mebibytes << 20).unwrap();
}

#[tokio::test]
async fn a_file_that_is_too_large_is_told_how_large_it_may_be() {
    let folder = Folder::new();
    sparse(&folder, "log.txt", b"A line.", 129);
    sparse(&folder, "notes.md", b"# Notes", 33);
    sparse(&folder, "page.html", b"<!doctype html>", 17);
    sparse(&folder, "scan.pdf", b"%PDF-1.7", 129);
    let report = ingest_beside_a_good_file(&folder).await;
    let reasons: Vec<_> = report.failed.iter().map(|failed| failed.reason.as_str()).collect();
    let expected = [
        "larger than 128 MiB, the most for plain text",
        "larger than 32 MiB, the most for Markdown",
        "larger than 16 MiB, the most for HTML",
        "larger than 128 MiB, the most for a PDF",
    ];
    assert_eq!(reasons, expected, "{report:?}");
}

#[tokio::test]
async fn a_large_file_that_is_no_document_is_skipped() {
    let folder = Folder::new();
    sparse(&folder, "holiday.mp4", b"\0\0\0\x18ftypmp42", 700);
    assert_skips(&folder, "holiday.mp4", "not a format").await;
}

#[tokio::test]
async fn a_program_without_a_name_ending_is_skipped_unless_it_is_asked_for() {
    let program = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 200]].concat();
    let folder = Folder::new().with("tool", &program).with("data", [7_u8, 0, 7, 0, 0, 7]);
    let report = ingest_beside_a_good_file(&folder).await;
    assert_eq!((report.skipped.len(), report.failed.len()), (2, 0), "{report:?}");
    let report = Knowledge::new().await.ingest(&folder.path().join("tool")).await;
    assert_eq!(report.failed.len(), 1, "{report:?}");
}

#[tokio::test]
async fn a_name_that_is_not_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(folder.path().join(Path::new(name)), "Text.").unwrap();
    let report = ingest_beside_a_good_file(&folder).await;
    assert_eq!(report.failed[0].reason, "the name is not valid UTF-8");
}
