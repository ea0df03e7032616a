//! A Qdrant server that is away, stuck, in trouble, or cut off and back; and addresses and keys that lead to none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{Collection, Error};
use footnote_knowledge::secret::Secret;
use footnote_knowledge::vector_store::{Error as StoreError, VectorStore};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fixture::{TestStore, document, identity, search, texts};
use crate::scripted_qdrant::{Reply, ScriptedQdrant};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexing_is_deferred_until_it_is_resumed_by_whomever() {
    let Some(test) = TestStore::qdrant().await else {
        eprintln!("skipped: QDRANT_URL is not set");
        return;
    };
    let collection = test.collection().await;
    let stored = test.store.resolve_alias(&test.name).await.unwrap().unwrap();
    let is_deferred = async || test.store.is_indexing_deferred(&stored).await.unwrap();
    collection.resume_indexing().await.unwrap();
    assert!(!is_deferred().await);
    collection.defer_indexing().await.unwrap();
    assert!(is_deferred().await);
    // Killed here; another process comes.
    test.collection().await.sweep().await.unwrap();
    assert!(!is_deferred().await);
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

/// As when a host lost its power: the connections stay, and nothing comes back on them.
#[tokio::test]
async fn connections_that_went_dead_are_replaced() {
    const POOLED: usize = 3;
    let dead = Arc::new(AtomicBool::new(false));
    let script = {
        let dead = Arc::clone(&dead);
        move |connection, _| {
            if connection < POOLED && dead.load(Ordering::Relaxed) { Reply::Silence } else { Reply::Empty }
        }
    };
    let server = ScriptedQdrant::start(script).await;
    let store = connect(&server).await;
    for _ in 0..POOLED {
        store.check().await.unwrap();
    }
    dead.store(true, Ordering::Relaxed);
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again_and_may_come_round() {
    const TROUBLE: Reply = Reply::Failure(13, "Service internal error: no active replica");
    let briefly = ScriptedQdrant::start(|_, call| if call < 2 { TROUBLE } else { Reply::Empty }).await;
    assert!(!connect(&briefly).await.collection_exists("documents").await.unwrap());
    let for_long = ScriptedQdrant::start(|_, _| TROUBLE).await;
    let error = connect(&for_long).await.collection_exists("documents").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("no active replica"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_wants_a_key_is_told_of_with_the_option() {
    let server = ScriptedQdrant::start(|_, _| Reply::Failure(16, "Must provide an API key")).await;
    let error = connect(&server).await.collection_exists("documents").await.unwrap_err();
    assert!(matches!(error, StoreError::Unauthorized { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("Must provide an API key") && text.contains("--qdrant-api-key"), "{text}");
}

/// The port that other clients of Qdrant are given.
#[tokio::test]
async fn the_http_port_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http2 = listener.local_addr().unwrap();
    let http2_server = tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await.unwrap() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http1 = listener.local_addr().unwrap();
    let http1_server = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(refusal).await.unwrap();
            open.push(stream);
        }
    });
    for address in [http1, http2] {
        let store = VectorStore::connect(&format!("http://{address}"), None).await.unwrap();
        let error = store.check().await.unwrap_err();
        assert!(chain(&error).contains("6334"), "{error:?}");
    }
    http1_server.abort();
    http2_server.abort();
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_refused() {
    for (url, reason) in [
        ("http://[", "http://["),
        ("localhost:6334", "http://"),
        ("tcp://localhost:6334", "http://"),
        ("http://key@localhost:6334", "--qdrant-api-key"),
        ("http://:hunter2@localhost:6334", "--qdrant-api-key"),
        ("http://me:hunter2@[", "no URL"),
    ] {
        let error = VectorStore::connect(url, None).await.unwrap_err();
        let text = chain(&error);
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("key@"), "{text}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_sent_is_refused_and_not_printed() {
    // A secret that was made with `echo` ends its line.
    for key in ["hunter2\n", "hunter2 ", "hünter2", ""] {
        let error = VectorStore::connect("http://localhost:6334", Some(&Secret::new(key))).await.unwrap_err();
        let text = format!("{} {error:?}", chain(&error));
        assert!(text.contains("--qdrant-api-key") && !text.contains("nter2"), "{text}");
    }
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

    let write = || collection.replace_document(document("b.md", &["after the cut"]));
    for _ in 0..2 {
        let error = write().await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        let error = store.check().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    }

    tokio::spawn(forward(TcpListener::bind(address).await.unwrap(), target));
    let deadline = Instant::now() + Duration::from_secs(60);
    while write().await.is_err() {
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

async fn connect(server: &ScriptedQdrant) -> VectorStore {
    VectorStore::connect(&format!("http://{}", server.address), None).await.unwrap()
}

/// As a person sees it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
