//! A collection built anew with another embedder while it is in use.

use std::sync::Once;

use footnote_ingest::{Event, IngestOptions, reindex};
use footnote_knowledge::collection::{Filter, NewChunk, NewDocument, Rebuild};
use tokio::runtime::Handle;

use crate::endpoint::{Endpoint, Reply};
use crate::files::Folder;
use crate::knowledge::Knowledge;

/// By an attempt long ago, of a file that is gone since.
fn left_behind() -> NewDocument {
    let text = "Long gone.".to_owned();
    let chunk = NewChunk { heading: None, page: None, start: 0, end: 10, text, embedding: vec![1.0, 2.0, 3.0] };
    NewDocument {
        source: "long/gone.txt".to_owned(),
        title: String::new(),
        content_hash: "gone".to_owned(),
        version: "gone".to_owned(),
        tags: Vec::new(),
        metadata: Default::default(),
        chunks: vec![chunk],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_meanwhile_is_not_lost() {
    let folder = Folder::new().with("bread.txt", "Rye.").with("tea.txt", "It steeps.").with("salt.txt", "A grain.");
    let knowledge = Knowledge::new().await;
    let options = IngestOptions { root_name: Some("kitchen".to_owned()), ..IngestOptions::default() };
    knowledge.ingest_with(&[folder.path()], &options).await.unwrap();
    let endpoint = Endpoint::start(|_, _| Reply::Vectors).await;
    let embedder = endpoint.embedder().await;
    let store = knowledge.collection.store().clone();
    let rebuild = Rebuild::begin(store, "documents", &embedder.identity()).await.unwrap().unwrap();
    rebuild.new.replace_document(left_behind()).await.unwrap();

    let (once, runtime) = (Once::new(), Handle::current());
    let change = async || {
        std::fs::write(folder.path().join("bread.txt"), "Wheat.").unwrap();
        knowledge.ingest_with(&[folder.path()], &options).await.unwrap();
        let salt = knowledge.collection.document_id("kitchen/salt.txt");
        assert!(knowledge.collection.delete_document(salt).await.unwrap());
    };
    let switched = || assert!(once.is_completed());
    let told = |event| {
        if matches!(event, Event::FileDone { .. }) {
            once.call_once(|| {
                std::thread::scope(|threads| threads.spawn(|| runtime.block_on(change())).join().unwrap());
            });
        }
    };
    let report = reindex(&rebuild, &embedder, IngestOptions::LONGEST_OUTAGE, &switched, &told).await.unwrap();
    assert_eq!((report.added, report.failed.len()), (4, 0), "{report:?}");

    let new = rebuild.replacement();
    let documents = new.all_documents(&Filter::default()).await.unwrap();
    let mut sources: Vec<_> = documents.iter().map(|document| document.source.clone()).collect();
    sources.sort();
    assert_eq!(sources, ["kitchen/bread.txt", "kitchen/tea.txt"]);
    let bread = new.chunks(new.document_id("kitchen/bread.txt")).await.unwrap();
    assert_eq!(bread[0].text, "Wheat.");
}
