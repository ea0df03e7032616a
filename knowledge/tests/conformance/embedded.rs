//! What holds for the embedded engine's folder only.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{Collection, Filter};
use footnote_knowledge::vector_store::{
    Bm25, CollectionSchema, Condition, Error, FieldKind, Fields, Filter as StoreFilter, Point, RankingQuery,
    RankingVector, VectorStore,
};
use futures::future::join_all;

use crate::fixture::{document, identity, search, texts};
use crate::process::{FOLDER, start};

#[tokio::test]
async fn a_second_process_is_told_that_the_folder_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let store = VectorStore::open_embedded(folder.path()).await.unwrap();
    let said = start("embedded::child_that_opens", folder.path(), &[]).wait();
    let [refused] = &said[..] else { panic!("said {said:?}") };
    assert!(refused.contains(&folder.path().display().to_string()) && refused.contains("--data-dir"), "{refused}");

    store.close().await.unwrap();
    assert_eq!(start("embedded::child_that_opens", folder.path(), &[]).wait(), ["opened"]);
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
}

#[tokio::test]
#[ignore = "started by the test above"]
async fn child_that_opens() {
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    match VectorStore::open_embedded(&folder).await {
        Ok(_) => println!("opened"),
        Err(error) => {
            assert!(matches!(error, Error::InUse { .. }));
            println!("refused: {error}");
        }
    }
}

/// The engine never shortens its log.
#[tokio::test]
async fn the_log_is_shortened_when_the_folder_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let log_bytes = async |store: &VectorStore| store.log_bytes().await.unwrap().unwrap();
    let text = "many words ".repeat(150_000);
    let mut longest = 0;
    for round in 0..3 {
        let store = VectorStore::open_embedded(folder.path()).await.unwrap();
        let collection = Collection::open(store.clone(), "documents", &identity()).await.unwrap();
        let reopened = log_bytes(&store).await;
        assert!(round == 0 || reopened < longest, "{reopened} bytes after reopening, {longest} before");
        // Numbered on from what was there: older operation numbers would be taken for known and ignored.
        let text = format!("round {round} {text}");
        let write = |part| collection.replace_document(document(&format!("{part}.md"), &[&text]));
        join_all((0..6).map(write)).await.into_iter().for_each(|written| drop(written.unwrap()));
        let documents = collection.documents(&Filter::default(), None, 100).await.unwrap().items;
        assert_eq!(documents.len(), 6);
        for document in &documents {
            let chunks = collection.chunks(document.id).await.unwrap();
            assert!(chunks[0].text.starts_with(&format!("round {round} ")), "{}", &chunks[0].text[..20]);
        }
        longest = log_bytes(&store).await;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_an_interrupted_process_left_unfinished_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let unfinished = folder.path().join(".unfinished-1");
    fs::create_dir_all(unfinished.join("segments")).unwrap();
    fs::write(folder.path().join("documents.json.new"), "{").unwrap();
    let store = VectorStore::open_embedded(folder.path()).await.unwrap();
    assert!(!unfinished.exists());
    Collection::open(store, "documents", &identity()).await.unwrap();
}

#[tokio::test]
async fn damage_is_reported_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = VectorStore::open_embedded(folder.path()).await.unwrap();
    let collection = Collection::open(store.clone(), "documents", &identity()).await.unwrap();
    collection.replace_document(document("a.md", &["one"])).await.unwrap();
    let stored = store.resolve_alias("documents").await.unwrap().unwrap();
    drop(collection);
    store.close().await.unwrap();

    let segment = fs::read_dir(folder.path().join(&stored).join("segments")).unwrap().next().unwrap().unwrap().path();
    fs::write(segment.join("segment.json"), "not what it was").unwrap();
    let expect_corrupt = async |place: &Path| {
        let store = VectorStore::open_embedded(folder.path()).await.unwrap();
        let error = Collection::open(store, "documents", &identity()).await.unwrap_err();
        assert!(error.to_string().contains(&place.display().to_string()), "{error}");
        assert!(error.to_string().contains("damaged"), "{error}");
    };
    expect_corrupt(&folder.path().join(&stored)).await;
    let alias = folder.path().join("documents.json");
    fs::write(&alias, "{").unwrap();
    expect_corrupt(&alias).await;
}

/// As when a volume goes away and comes back. The engine itself refuses everything after such an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_write_the_folder_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = VectorStore::open_embedded(folder.path()).await.unwrap();
    let collection = Collection::open(store.clone(), "documents", &identity()).await.unwrap();
    collection.replace_document(document("a.md", &["before"])).await.unwrap();
    let stored = folder.path().join(store.resolve_alias("documents").await.unwrap().unwrap());
    let away = folder.path().join("away");
    fs::rename(&stored, &away).unwrap();
    // More than a part of the log holds, so that it begins the next.
    let large = "x".repeat(3 << 20);
    collection.replace_document(document("b.md", &[&large])).await.unwrap_err();
    let error = store.check().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");

    fs::rename(&away, &stored).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = store.check().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::task::yield_now().await;
    }
    collection.replace_document(document("c.md", &["after"])).await.unwrap();
    assert_eq!(texts(&search(&collection, "before").await)[0], "before");
    assert_eq!(texts(&search(&collection, "after").await)[0], "after");
    assert_eq!(collection.document_count().await.unwrap(), 2);
}

/// As after a kill between two steps of the engine's compacting: the new segment is in place, the old one not yet gone.
#[tokio::test]
async fn points_in_two_segments_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = VectorStore::open_embedded(folder.path()).await.unwrap();
    let collection = Collection::open(store.clone(), "documents", &identity()).await.unwrap();
    let written = collection.replace_document(document("a.md", &["one", "two"])).await.unwrap();
    let stored = store.resolve_alias("documents").await.unwrap().unwrap();
    drop(collection);
    store.close().await.unwrap();

    let segments = folder.path().join(&stored).join("segments");
    let segment = fs::read_dir(&segments).unwrap().next().unwrap().unwrap().path();
    copy_folder(&segment, &segments.join(uuid::Uuid::new_v4().to_string()));

    let store = VectorStore::open_embedded(folder.path()).await.unwrap();
    let collection = Collection::open(store.clone(), "documents", &identity()).await.unwrap();
    assert_eq!(store.count(&stored, &StoreFilter::default()).await.unwrap(), 3);
    assert_eq!(collection.documents(&Filter::default(), None, 10).await.unwrap().items, [written]);
    assert_eq!(search(&collection, "one two").await.candidates.len(), 2);
    let rewritten = collection.replace_document(document("a.md", &["one", "two"])).await.unwrap();
    let replaced = collection.replace_document(document("a.md", &["three"])).await.unwrap();
    assert_eq!(texts(&search(&collection, "one two three").await), ["three"]);
    assert!(collection.delete_document(replaced.id).await.unwrap());
    assert_eq!(collection.document(rewritten.id).await.unwrap(), None);
    assert_eq!(store.count(&stored, &StoreFilter::default()).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compacting_changes_nothing_that_is_seen() {
    // Long vectors, since it is their size that makes the engine compact.
    const DIMENSION: usize = 2048;
    let folder = tempfile::tempdir().unwrap();
    let mut store = VectorStore::open_embedded(folder.path()).await.unwrap();
    let schema = CollectionSchema {
        dimension: DIMENSION,
        filtered: [("half", FieldKind::Keyword)].into(),
        beside_others: [].into(),
    };
    store.ensure_collection("points", &schema).await.unwrap();
    let bm25 = Bm25::new();
    let point = |number: u128, words: &str| Point {
        id: uuid::Uuid::from_u128(number),
        dense: Some((0..DIMENSION).map(|axis| if axis as u128 == number { 1.0 } else { 0.001 }).collect()),
        sparse: Some(bm25.embed_document(words)),
        payload: serde_json::json!({ "half": if number.is_multiple_of(2) { "even" } else { "odd" } })
            .as_object()
            .unwrap()
            .clone(),
    };
    store
        .upsert("points", (0..1000).map(|number| point(number, &format!("word{number} and"))).collect())
        .await
        .unwrap();
    let segments = || fs::read_dir(folder.path().join("points/segments")).unwrap().count();
    assert_eq!(segments(), 1);
    store.compact("points").await.unwrap();
    assert_eq!(segments(), 2, "the compacted one and an empty one for what comes");

    store.upsert("points", vec![point(7, "changed"), point(2000, "added")]).await.unwrap();
    store.delete_points("points", &[uuid::Uuid::from_u128(9)]).await.unwrap();
    for reopened in [false, true] {
        if reopened {
            store.close().await.unwrap();
            store = VectorStore::open_embedded(folder.path()).await.unwrap();
        }
        let found = async |vector| {
            let query = RankingQuery { vector, filter: StoreFilter::default(), limit: 1, fields: Fields::None };
            let best = store.rank("points", vec![query]).await.unwrap().remove(0);
            best.first().map(|point| point.id.as_u128())
        };
        for number in [0, 7, 500, 999] {
            assert_eq!(found(RankingVector::Dense(point(number, "").dense.unwrap())).await, Some(number));
        }
        assert_ne!(found(RankingVector::Dense(point(9, "").dense.unwrap())).await, Some(9));
        for (word, expected) in [("word500", Some(500)), ("changed", Some(7)), ("added", Some(2000)), ("word7", None)] {
            assert_eq!(found(RankingVector::Sparse(bm25.embed_query(word))).await, expected, "{word}");
        }
        let odd = StoreFilter::all([Condition::is("half", "odd")]);
        assert_eq!(store.count("points", &odd).await.unwrap(), 499);
        assert_eq!(store.count("points", &StoreFilter::default()).await.unwrap(), 1000);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
