//! A process that writes into the embedded engine is killed, at many moments, and what it acknowledged is all there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{Collection, Filter, NewDocument, SearchMode};
use footnote_knowledge::vector_store::VectorStore;
use jiff::{SignedDuration, Timestamp};

use crate::fixture::{document, identity, search_by};
use crate::process::{FOLDER, start};

const FIRST_VERSION: &str = "FOOTNOTE_TEST_FIRST_VERSION";
const DOCUMENTS: usize = 6;

/// Killed right after each of these lines of the writer: early, in the middle of several writes at once, late.
const KILL_AFTER_LINE: [usize; 7] = [1, 7, 9, 14, 18, 23, 29];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::default();
    for (round, lines) in KILL_AFTER_LINE.into_iter().enumerate() {
        let first_version = (1000 * round).to_string();
        let mut writer = start("crash::child_that_writes", folder.path(), &[(FIRST_VERSION, first_version.as_ref())]);
        for line in writer.lines().take(lines) {
            history.note(&line);
        }
        let rest = writer.kill();
        rest.iter().for_each(|line| history.note(line));

        let (store, collection) = open(folder.path()).await;
        history.check(&collection).await;
        let in_two_hours = Timestamp::now() + SignedDuration::from_hours(2);
        collection.sweep_at(in_two_hours).await.unwrap();
        history.check(&collection).await;
        collection.replace_document(document("after.md", &[&format!("written after kill {round}")])).await.unwrap();
        drop(collection);
        store.close().await.unwrap();
    }
    assert!(history.acknowledged.len() == DOCUMENTS, "{history:?}");
}

/// Replaces a few documents again and again, several at once; says when it begins and when each is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn child_that_writes() {
    let (_store, collection) = open(&PathBuf::from(std::env::var(FOLDER).unwrap())).await;
    let first: usize = std::env::var(FIRST_VERSION).unwrap().parse().unwrap();
    let mut writers = Vec::new();
    for number in 0..DOCUMENTS {
        let collection = collection.clone();
        writers.push(tokio::spawn(async move {
            for version in first.. {
                println!("begin {number} {version}");
                collection.replace_document(version_of(number, version)).await.unwrap();
                println!("acknowledged {number} {version}");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// The engine rewrites a collection whole to get rid of deleted points.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_space_is_reclaimed_loses_nothing() {
    const AT_ONCE: &str = "at once";
    let folder = tempfile::tempdir().unwrap();
    type Moment = fn(&Path, &[PathBuf]) -> bool;
    let moments: [(&str, Moment); 4] = [
        (AT_ONCE, |_, _| true),
        ("a new segment is begun", |stored, _| !entries(&stored.join("temp_segments")).is_empty()),
        ("the new segment is in place", |stored, before| entries(&stored.join("segments")).len() > before.len() + 1),
        ("the old segments go", |_, before| before.iter().any(|segment| !segment.exists())),
    ];
    let mut met = 0;
    for (tried, (name, moment)) in moments.into_iter().cycle().enumerate() {
        if tried >= moments.len() && met > 0 {
            break;
        }
        assert!(tried < 10 * moments.len(), "every kill came after the end");
        let (store, collection) = open(folder.path()).await;
        let stored = folder.path().join(store.resolve_alias("documents").await.unwrap().unwrap());
        let kept = collection.replace_document(document("kept.md", &["kept one", "kept two"])).await.unwrap();
        let many: Vec<_> = (0..1100).map(|number| format!("doomed {number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let doomed = collection.replace_document(document("doomed.md", &many)).await.unwrap();
        collection.delete_document(doomed.id).await.unwrap();
        drop(collection);
        store.close().await.unwrap();

        let before = entries(&stored.join("segments"));
        let mut child = start("crash::child_that_sweeps", folder.path(), &[]);
        assert_eq!(child.lines().next().as_deref(), Some("sweeping"));
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut swept = false;
        while !swept && !moment(&stored, &before) {
            assert!(Instant::now() < deadline, "neither {name} nor swept");
            swept = child.has_said("swept");
        }
        met += usize::from(!swept && name != AT_ONCE);
        child.kill();

        let (store, collection) = open(folder.path()).await;
        assert_eq!(collection.document(kept.id).await.unwrap(), Some(kept.clone()), "{name}");
        assert_eq!(collection.chunks(kept.id).await.unwrap().len(), 2, "{name}");
        assert_eq!(collection.document(doomed.id).await.unwrap(), None, "{name}");
        let found = search_by(&collection, "kept doomed", SearchMode::Hybrid, &Filter::default(), 50).await;
        assert_eq!(found.hits.len(), 2, "{name}");
        drop(collection);
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn child_that_sweeps() {
    let (_store, collection) = open(&PathBuf::from(std::env::var(FOLDER).unwrap())).await;
    println!("sweeping");
    collection.sweep().await.unwrap();
    println!("swept");
    std::future::pending::<()>().await;
}

/// A document whose text tells its number and version.
fn version_of(number: usize, version: usize) -> NewDocument {
    let texts = texts_of(number, version);
    document(&format!("{number}.md"), &texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn texts_of(number: usize, version: usize) -> Vec<String> {
    (0..3 + version % 3).map(|part| format!("document {number} version {version} part {part}")).collect()
}

/// What the killed writers said.
#[derive(Debug, Default)]
struct History {
    /// By document: the last version acknowledged, and those begun since.
    acknowledged: HashMap<usize, usize>,
    begun: HashMap<usize, Vec<usize>>,
}

impl History {
    fn note(&mut self, line: &str) {
        // A line may be cut off by the kill: then its number is not to be trusted.
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["begin", number, version] => {
                self.begun.entry(number.parse().unwrap()).or_default().push(version.parse().unwrap());
            }
            ["acknowledged", number, version] => {
                let number = number.parse().unwrap();
                self.acknowledged.insert(number, version.parse().unwrap());
                self.begun.remove(&number);
            }
            _ => {}
        }
    }

    /// Every document is whole, in the version acknowledged last or in one begun after it.
    async fn check(&self, collection: &Collection) {
        for number in 0..DOCUMENTS {
            let id = collection.document_id(&format!("{number}.md"));
            let mut possible: Vec<_> = self.acknowledged.get(&number).copied().into_iter().collect();
            possible.extend(self.begun.get(&number).into_iter().flatten());
            let document = collection.document(id).await.unwrap();
            let Some(document) = document else {
                assert!(!self.acknowledged.contains_key(&number), "document {number} is lost: {self:?}");
                continue;
            };
            let whole = possible.iter().find(|version| version_of(number, **version).version == document.version);
            let version = *whole.unwrap_or_else(|| panic!("document {number} is of no version of {possible:?}"));
            let chunks = collection.chunks(id).await.unwrap();
            let texts: Vec<_> = chunks.into_iter().map(|chunk| chunk.text).collect();
            assert_eq!(texts, texts_of(number, version));
            let filter = Filter { document_ids: vec![id], ..Filter::default() };
            let found = search_by(collection, "document version part", SearchMode::Hybrid, &filter, 20).await;
            let mut found: Vec<_> = found.hits.into_iter().map(|hit| hit.chunk.text).collect();
            found.sort();
            assert_eq!(found, texts);
        }
    }
}

async fn open(folder: &Path) -> (VectorStore, Collection) {
    let store = VectorStore::open_embedded(folder).await.unwrap();
    let collection = Collection::open(store.clone(), "documents", &identity()).await.unwrap();
    (store, collection)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}
