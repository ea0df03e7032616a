//! Reading while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use footnote_knowledge::collection::{Filter, SearchMode};
use footnote_knowledge::vector_store::{CollectionSchema, Fields, Filter as StoreFilter, Point};
use uuid::Uuid;

use crate::fixture::{TestStore, document, on_every_store, search_by};

on_every_store!(
    a_search_sees_each_document_in_one_version,
    documents_written_at_once_are_all_there,
    a_listing_misses_nothing_while_others_are_deleted,
    a_document_deleted_while_it_is_replaced_is_whole_or_gone,
);

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
        let searches = Arc::new(AtomicUsize::new(0));
        let searched = Arc::clone(&searches);
        let reading = tokio::spawn(async move {
            let filter = Filter { sources: vec!["a.md".to_owned()], ..Filter::default() };
            let mut newest = 0;
            while !written.load(Ordering::Relaxed) {
                let found = search_by(&collection, "alpha part", SearchMode::Hybrid, &filter, 10).await;
                let mut found: Vec<_> = found.hits.into_iter().map(|hit| hit.chunk).collect();
                found.sort_by_key(|chunk| chunk.number);
                let version: usize = found[0].text.rsplit(' ').next().unwrap().parse().unwrap();
                assert_eq!(found.iter().map(|chunk| chunk.text.as_str()).collect::<Vec<_>>(), texts(version));
                assert!(version >= newest, "saw version {version} after version {newest}");
                newest = version;
                searched.fetch_add(1, Ordering::Relaxed);
            }
        });
        (searches, reading)
    };
    let readers = [reader(), reader()];
    let has_waited = |(searches, _): &(Arc<AtomicUsize>, _)| searches.load(Ordering::Relaxed) == 0;
    let mut version = 0;
    while version < VERSIONS || readers.iter().any(has_waited) {
        assert!(version < 100 * VERSIONS, "reads wait for writes");
        version += 1;
        write(version).await;
    }
    written.store(true, Ordering::Relaxed);
    for (_, reading) in readers {
        reading.await.unwrap();
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

/// Page by page, while points between those that stay come and go.
async fn a_listing_misses_nothing_while_others_are_deleted(store: TestStore) {
    const KEPT: u128 = 200;
    let (store, name) = (store.store.clone(), store.name.clone());
    let schema = CollectionSchema { dimension: 1, filtered: [].into(), beside_others: [].into() };
    store.ensure_collection(&name, &schema).await.unwrap();
    let point = |number| Point {
        id: Uuid::from_u128(number),
        dense: Some(vec![1.0]),
        sparse: None,
        payload: Default::default(),
    };
    // Those that stay have the even numbers.
    store.upsert(&name, (0..KEPT).map(|number| point(2 * number)).collect()).await.unwrap();
    let written = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, name, written) = (store.clone(), name.clone(), Arc::clone(&written));
        tokio::spawn(async move {
            while !written.load(Ordering::Relaxed) {
                let (mut listed, mut from) = (Vec::new(), None);
                loop {
                    let page = store.scroll(&name, &StoreFilter::default(), from, 10, Fields::None).await.unwrap();
                    listed.extend(page.points.iter().map(|point| point.id.as_u128()).filter(|number| number % 2 == 0));
                    from = page.next;
                    if from.is_none() {
                        break;
                    }
                }
                assert_eq!(listed.len() as u128, KEPT, "the listing ended after {:?}", listed.last());
            }
        })
    };
    for _ in 0..40 {
        let doomed: Vec<_> = (0..KEPT).map(|number| 2 * number + 1).collect();
        store.upsert(&name, doomed.iter().copied().map(point).collect()).await.unwrap();
        let doomed: Vec<_> = doomed.into_iter().map(Uuid::from_u128).collect();
        store.delete_points(&name, &doomed).await.unwrap();
    }
    written.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    store.delete_collection(&name).await.unwrap();
}

async fn a_document_deleted_while_it_is_replaced_is_whole_or_gone(store: TestStore) {
    let collection = store.collection().await;
    let id = collection.document_id("a.md");
    collection.replace_document(document("a.md", &["first"])).await.unwrap();
    for round in 0..60 {
        let texts = [format!("one of {round}"), format!("two of {round}")];
        let texts = texts.each_ref().map(String::as_str);
        let (replaced, deleted) =
            tokio::join!(collection.replace_document(document("a.md", &texts)), collection.delete_document(id));
        replaced.unwrap();
        deleted.unwrap();
        if let Some(document) = collection.document(id).await.unwrap() {
            assert_eq!(collection.chunks(id).await.unwrap().len(), document.chunk_count, "in round {round}");
        }
    }
}
