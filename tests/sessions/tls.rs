//! Redis by TLS, with certificates of the test's own CA.

use std::path::PathBuf;

use footnote::sessions::{SessionOptions, Sessions, StoreChoice};
use footnote_knowledge::secret::Secret;

use crate::certificates::Certificates;
use crate::place::{PATIENT, eventually, key, read, say};
use crate::redis_cluster::RedisCluster;
use crate::redis_server::{RedisServer, free_port};

async fn on(url: &str, ca: Option<PathBuf>) -> Sessions {
    let store = StoreChoice::Redis { url: Secret::new(url), ca, timeout: PATIENT };
    Sessions::open(SessionOptions::new(store)).await.unwrap()
}

/// Why nothing can be saved.
async fn refusal(sessions: &Sessions) -> String {
    assert!(!say(sessions, &key("a"), "one").await.persisted);
    format!("{:#}", anyhow::Error::new(sessions.check().await.unwrap_err()))
}

fn start(certificates: &Certificates) -> (RedisServer, u16) {
    let port = free_port();
    let arguments = certificates.arguments(port);
    (RedisServer::start_with(&arguments.iter().map(String::as_str).collect::<Vec<_>>()), port)
}

#[tokio::test]
async fn a_ca_of_one_s_own_is_trusted_when_named() {
    let certificates = Certificates::for_host("127.0.0.1");
    let (mut server, port) = start(&certificates);
    let url = format!("rediss://127.0.0.1:{port}");
    let sessions = on(&url, Some(certificates.ca())).await;
    assert!(say(&sessions, &key("a"), "one").await.persisted);
    server.restart();
    say(&sessions, &key("a"), "two").await;
    eventually("the turn is saved", async || sessions.pending_turns() == 0).await;
    assert_eq!(read(&sessions, &key("a")).await.length, 4);

    let said = refusal(&on(&url, None).await).await;
    assert!(said.contains("--redis-ca"), "{said}");
    for another in ["127.0.0.1", "another.example"] {
        let said = refusal(&on(&url, Some(Certificates::for_host(another).ca())).await).await;
        assert!(said.contains("--redis-ca"), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let certificates = Certificates::for_host("redis.example");
    let (_server, port) = start(&certificates);
    let said = refusal(&on(&format!("rediss://127.0.0.1:{port}"), Some(certificates.ca())).await).await;
    assert!(said.contains("another host"), "{said}");
}

#[tokio::test]
async fn the_nodes_of_a_cluster_are_reached_by_tls() {
    let certificates = Certificates::for_host("127.0.0.1");
    let port = free_port();
    let mut arguments = certificates.arguments(port);
    arguments.extend(["--tls-cluster", "yes"].map(str::to_owned));
    let cluster = RedisCluster::start_with(1, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let sessions = on(&format!("rediss+cluster://127.0.0.1:{port}"), Some(certificates.ca())).await;
    assert!(say(&sessions, &key("a"), "one").await.persisted);
    drop(cluster);
    let said = refusal(&sessions).await;
    assert!(!said.is_empty());
}
