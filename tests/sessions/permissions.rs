//! The permissions that the README gives to a locked-down user are enough, and each is needed. The conformance suite runs
//! as that user, too.

use std::time::Duration;

use footnote::sessions::{SessionOptions, Sessions};
use serde_json::json;

use crate::place::{README, eventually, key, permissions, read, redis_at, restrict, restricted_url, say};
use crate::redis_cluster::RedisCluster;
use crate::redis_server::RedisServer;

async fn open(url: &str, change: impl FnOnce(&mut SessionOptions)) -> Sessions {
    let mut options = SessionOptions::new(redis_at(url, Duration::from_secs(5)));
    change(&mut options);
    Sessions::open(options).await.unwrap()
}

/// All that a server does with sessions.
async fn everything(url: &str) {
    let sessions = open(url, |options| options.max_messages = 4).await;
    for name in ["1", "2", "3"] {
        assert!(say(&sessions, &key("a"), name).await.persisted);
    }
    read(&sessions, &key("a")).await;
    sessions.patch_metadata(&key("a"), json!({"title": "A"})).await.unwrap().expect("it is there");
    say(&sessions, &key("b"), "1").await;
    assert_eq!(sessions.list("default", None, 10).await.unwrap().sessions.len(), 2);
    assert!(sessions.delete(&key("b")).await.unwrap());

    let eternal = open(url, |options| options.ttl = None).await;
    assert!(say(&eternal, &key("a"), "for ever").await.persisted);

    let short = open(url, |options| options.ttl = Some(Duration::from_millis(1))).await;
    say(&short, &key("c"), "gone at once").await;
    eventually("it is gone", async || short.read(&key("c")).await.unwrap().is_none()).await;
    assert_eq!(short.list("default", None, 10).await.unwrap().sessions.len(), 1);
    sessions.check().await.unwrap();
}

#[tokio::test]
async fn each_permission_of_the_readme_is_needed() {
    let server = RedisServer::start();
    restrict(&server);
    everything(&restricted_url(&server)).await;
    let statistics = server.command(&["INFO", "commandstats"]);
    for command in permissions() {
        assert!(statistics.contains(&format!("cmdstat_{command}:")), "{command} was never run");
    }
}

#[tokio::test]
async fn another_database_and_a_cluster_need_what_the_readme_says() {
    let (database, cluster) = ("+select", "+cluster|slots +asking +ping");
    assert!(README.contains(&format!("`{database}`")) && README.contains(&format!("`{cluster}`")));

    let server = RedisServer::start();
    restrict(&server);
    server.command(&["ACL", "SETUSER", "footnote", database]);
    everything(&format!("{}/3", restricted_url(&server))).await;

    let nodes = RedisCluster::start_with(1, &[]);
    restrict(&nodes.masters[0]);
    let rules: Vec<_> = ["ACL", "SETUSER", "footnote"].into_iter().chain(cluster.split(' ')).collect();
    nodes.masters[0].command(&rules);
    everything(&restricted_url(&nodes.masters[0]).replace("redis://", "redis+cluster://")).await;
}
