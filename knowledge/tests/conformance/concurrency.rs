//! Reading while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use footnote_knowledge::collection::{Filter, SearchMode};

use crate::fixture::{TestStore, document, on_every_store, search_by};

on_every_store!(a_search_sees_each_document_in_one_version, documents_written_at_once_are_all_there);

/// Never both versions, never neither, never half of one, while the same document is replaced again and again.
async fn a_search_sees_each_document_in_one_version(store: TestStore) {
    const VERSIONS: usize = 12;
    let collection = store.collection().await;
    let texts = |version: usize| ["first", "second", "third"].map(|part| format!("alpha {part} part of {version}"));
    let write = async |version: usize| {
        let texts = texts(version);
        let new = document("a.md", &texts.each_ref().map(String::as_str));
        collection.replace_document(new).await.unwrap();
    };
    write(0).await;

    let written = Arc::new(AtomicBool::new(false));
    let reader = || {
        let (collection, written) = (collection.clone(), Arc::clone(&written));
        tokio::spawn(async move {
            let filter = Filter { sources: vec!["a.md".to_owned()], ..Filter::default() };
            let (mut searches, mut newest) = (0, 0);
            while !written.load(Ordering::Relaxed) {
                let found = search_by(&collection, "alpha part", SearchMode::Hybrid, &filter, 10).await;
                let mut found: Vec<_> = found.hits.into_iter().map(|hit| hit.chunk).collect();
                found.sort_by_key(|chunk| chunk.number);
                let version: usize = found[0].text.rsplit(' ').next().unwrap().parse().unwrap();
                assert_eq!(found.iter().map(|chunk| chunk.text.as_str()).collect::<Vec<_>>(), texts(version));
                assert!(version >= newest, "saw version {version} after version {newest}");
                newest = version;
                searches += 1;
            }
            searches
        })
    };
    let readers = [reader(), reader()];
    for version in 1..=VERSIONS {
        write(version).await;
    }
    written.store(true, Ordering::Relaxed);
    for reader in readers {
        let searches = reader.await.unwrap();
        assert!(searches >= VERSIONS, "reads waited for writes: {searches} searches");
    }
}

async fn documents_written_at_once_are_all_there(store: TestStore) {
    let collection = store.collection().await;
    let failed = Arc::new(AtomicUsize::new(0));
    let write = |number: usize| {
        let (collection, failed) = (collection.clone(), Arc::clone(&failed));
        tokio::spawn(async move {
            let text = format!("text number {number}");
            let new = document(&format!("{number}.md"), &[&text, "and more"]);
            if collection.replace_document(new).await.is_err() {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let writes: Vec<_> = (0..40).map(write).collect();
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    let documents = collection.documents(&Filter::default(), None, 100).await.unwrap().items;
    assert_eq!(documents.len(), 40);
    for document in documents {
        assert_eq!(collection.chunks(document.id).await.unwrap().len(), 2);
    }
}
