//! A Qdrant server that is away, stuck, or cut off and back.

use std::time::{Duration, Instant};

use footnote_knowledge::collection::{Collection, Error};
use footnote_knowledge::vector_store::{Error as StoreError, VectorStore};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fixture::{TestStore, document, identity, search, texts};

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let store = VectorStore::connect(&format!("http://{address}"), None).await.unwrap();
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    let error = Collection::open(store, "documents", &identity()).await.unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Unavailable { .. })), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = VectorStore::connect(&format!("http://{}", listener.local_addr().unwrap()), None).await.unwrap();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
        }
    });
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    silent.abort();
}

#[tokio::test]
async fn a_url_that_is_none_is_refused() {
    let error = VectorStore::connect("http://[", None).await.unwrap_err();
    assert!(error.to_string().contains("http://["), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_interruption_it_goes_on_by_itself() {
    let Some(direct) = TestStore::qdrant().await else {
        eprintln!("skipped: QDRANT_URL is not set");
        return;
    };
    let target = std::env::var("QDRANT_URL").unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = tokio::spawn(forward(listener, target.clone()));
    let store = VectorStore::connect(&format!("http://{address}"), None).await.unwrap();
    let collection = Collection::open(store.clone(), &direct.name, &identity()).await.unwrap();
    collection.replace_document(document("a.md", &["before the cut"])).await.unwrap();

    proxy.abort();
    assert!(proxy.await.unwrap_err().is_cancelled());
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");

    // An ingest waits until the server is back.
    let writing = {
        let collection = collection.clone();
        tokio::spawn(async move { collection.replace_document(document("b.md", &["after the cut"])).await.unwrap() })
    };
    tokio::spawn(forward(TcpListener::bind(address).await.unwrap(), target));
    writing.await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while store.check().await.is_err() {
        assert!(Instant::now() < deadline, "it does not come back");
    }
    assert_eq!(texts(&search(&collection, "after the cut").await)[0], "after the cut");
}

/// Connections to `listener` reach `target` until this is dropped.
async fn forward(listener: TcpListener, target: String) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(&target).await.unwrap();
        connections.spawn(async move { copy_bidirectional(&mut near, &mut far).await });
    }
}
