//! Footnote's own data may lie in the folder that is ingested.

use std::path::Path;

use crate::files::Folder;
use crate::program::{run_in_folder, status, stdout};

fn assert_finds_one_document(folder: &Folder, options: &[&str], summary: &str) {
    let output = run_in_folder(folder.path(), &[&["."], options].concat());
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(stdout(&output).starts_with(summary), "{output:?}");
}

const ADDED: &str = "1 file: 1 added, 0 updated, 0 unchanged, 0 removed, 0 skipped, 0 failed\n";
const UNCHANGED: &str = "1 file: 0 added, 0 updated, 1 unchanged, 0 removed, 0 skipped, 0 failed\n";

#[test]
fn the_data_folder_is_no_document() {
    let folder = Folder::new().with("bread.md", "# Bread\n\nFlour, water, salt.\n");
    assert_finds_one_document(&folder, &[], ADDED);
    assert_finds_one_document(&folder, &[], UNCHANGED);
    assert!(folder.path().join("footnote-data/.gitignore").is_file());
}

#[test]
fn a_folder_of_documents_can_hold_the_data_too() {
    let folder = Folder::new().with("bread.md", "# Bread\n\nFlour, water, salt.\n");
    assert_finds_one_document(&folder, &["--data-dir", "."], ADDED);
    assert_finds_one_document(&folder, &["--data-dir", "."], UNCHANGED);
    assert!(!folder.path().join(".gitignore").exists(), "it would hide the documents");
    assert!(Path::new(folder.path()).join("vectors").is_dir());
}
