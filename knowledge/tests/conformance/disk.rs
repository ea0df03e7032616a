//! A disk that fills up, for real: a small one, which a process of its own has for itself.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use footnote_knowledge::collection::Collection;
use footnote_knowledge::vector_store::VectorStore;

use crate::fixture::{document, identity, search, texts};
use crate::process::{FOLDER, start_with};

/// The disk is made in the new process's own view of the file system, which needs no rights where Linux allows that.
const ON_A_SMALL_DISK: [&str; 5] = [
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    r#"mount -t tmpfs -o size=400m small "$FOOTNOTE_TEST_FOLDER" && exec "$0" "$@""#,
];

#[test]
fn a_full_disk_is_told_of_and_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let possible = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("skipped: unshare makes no namespaces here");
        return;
    }
    let mut program = Command::new("unshare");
    program.args(ON_A_SMALL_DISK).arg(std::env::current_exe().unwrap());
    let said = start_with(&mut program, "disk::child_that_fills_its_disk", folder.path(), &[]).wait();
    let steps = ["a collection", "points", "deleting", "reading", "opening", "room again"];
    assert_eq!(said, steps.map(|step| format!("reached {step}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn child_that_fills_its_disk() {
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let vectors = folder.join("vectors");
    let open = async |store: &VectorStore| Collection::open(store.clone(), "documents", &identity()).await;
    let store = VectorStore::open_embedded(&vectors).await.unwrap();

    fill(&folder, 0);
    expect_no_room(open(&store).await.map(drop), 128);
    println!("reached a collection");

    make_room(&folder);
    let collection = open(&store).await.unwrap();
    let kept = collection.replace_document(document("kept.md", &["kept one", "kept two"])).await.unwrap();
    let doomed = collection.replace_document(document("doomed.md", &["doomed"])).await.unwrap();
    fill(&folder, 100 << 20);
    expect_no_room(collection.replace_document(document("new.md", &["new"])).await.map(drop), 128);
    println!("reached points");

    fill(&folder, 30 << 20);
    assert!(collection.delete_document(doomed.id).await.unwrap());
    fill(&folder, 0);
    expect_no_room(collection.delete_document(kept.id).await.map(drop), 24);
    println!("reached deleting");

    assert_eq!(texts(&search(&collection, "kept one").await)[0], "kept one");
    println!("reached reading");

    drop(collection);
    store.close().await.unwrap();
    let store = VectorStore::open_embedded(&vectors).await.unwrap();
    expect_no_room(open(&store).await.map(drop), 24);
    fill(&folder, 25 << 20);
    let collection = open(&store).await.unwrap();
    assert_eq!(texts(&search(&collection, "kept one").await)[0], "kept one");
    println!("reached opening");

    make_room(&folder);
    collection.replace_document(document("new.md", &["new"])).await.unwrap();
    assert_eq!(collection.document_count().await.unwrap(), 2);
    println!("reached room again");
}

/// Leaves so many bytes.
fn fill(folder: &Path, left: u64) {
    make_room(folder);
    let mut filler = File::create(folder.join("filler")).unwrap();
    let mut written = 0;
    while let Ok(more) = filler.write(&[1; 1 << 16]) {
        written += more as u64;
    }
    filler.set_len(written - left).unwrap();
}

fn make_room(folder: &Path) {
    let filler = folder.join("filler");
    if filler.exists() {
        fs::remove_file(filler).unwrap();
    }
}

fn expect_no_room<E: std::error::Error>(outcome: Result<(), E>, at_least_mib: u64) {
    let error = outcome.unwrap_err();
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let text =
        causes.find_map(|cause| cause.to_string().split_once(" MiB are free, ").map(|(_, text)| text.to_owned()));
    let needed: u64 = text.unwrap_or_else(|| panic!("{error:?}")).split(' ').next().unwrap().parse().unwrap();
    assert!(needed >= at_least_mib, "{needed} MiB");
}
