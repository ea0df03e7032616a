//! The permissions that docs/redis.md gives to a locked-down user are enough, and each is needed. The conformance suite runs
//! as that user, too.

use std::time::Duration;

use footnote::sessions::{Imported, SessionOptions, Sessions};
use serde_json::json;

use crate::idempotency::{answer, request, reserve};
use crate::place::{PATIENT, REDIS_PAGE, eventually, key, permissions, read, redis_at, restrict, restricted_url, say};
use crate::redis_cluster::RedisCluster;
use crate::redis_server::RedisServer;

async fn open(url: &str, change: impl FnOnce(&mut SessionOptions)) -> Sessions {
    let mut options = SessionOptions::new(redis_at(url, PATIENT));
    change(&mut options);
    Sessions::open(options).await.unwrap()
}

/// All that a server does with sessions, in a Redis that is spoken to by `command`.
async fn everything(url: &str, command: impl Fn(&[&str]) -> String) {
    let sessions = open(url, |options| options.max_messages = 4).await;
    for name in ["1", "2", "3"] {
        assert!(say(&sessions, &key("a"), name).await.persisted);
    }
    read(&sessions, &key("a")).await;
    sessions.patch_metadata(&key("a"), json!({"title": "A"})).await.unwrap().expect("it is there");
    say(&sessions, &key("b"), "1").await;
    assert_eq!(sessions.list("default", None, 10).await.unwrap().sessions.len(), 2);
    assert!(sessions.delete(&key("b")).await.unwrap());

    let first = reserve(&sessions, &key("once"), &request("first", "digest")).await;
    answer(&sessions, first, "first").await;
    // Records of more than an hour ago are removed.
    assert_eq!(command(&["HSET", "session:{default:once}:turns", "", "1", "old", "answered digest turn 2 1"]), "1");
    sessions.release(&reserve(&sessions, &key("once"), &request("second", "digest")).await).await;
    assert_eq!(command(&["HEXISTS", "session:{default:once}:turns", "old"]), "0");
    let exported = sessions.export(&key("once")).await.unwrap().expect("it is there");
    assert!(sessions.delete(&key("once")).await.unwrap());
    assert_eq!(sessions.import(exported.clone(), false).await.unwrap(), Imported::Added);
    assert_eq!(sessions.import(exported, true).await.unwrap(), Imported::Added);
    assert!(sessions.delete(&key("once")).await.unwrap());

    let eternal = open(url, |options| options.ttl = None).await;
    assert!(say(&eternal, &key("a"), "for ever").await.persisted);

    let short = open(url, |options| options.ttl = Some(Duration::from_millis(1))).await;
    say(&short, &key("c"), "gone at once").await;
    eventually("it is gone", async || short.read(&key("c")).await.unwrap().is_none()).await;
    assert_eq!(short.list("default", None, 10).await.unwrap().sessions.len(), 1);
    sessions.check().await.unwrap();
}

/// Ended sessions that cannot be removed from the listing are left there, and not looked at over and over.
#[tokio::test]
async fn a_listing_that_cannot_be_cleaned_is_left_alone() {
    let server = RedisServer::start();
    restrict(&server);
    server.command(&["ACL", "SETUSER", "footnote", "-zrem"]);
    let dead: Vec<String> = (0..1000).flat_map(|id| ["1".to_owned(), format!("dead-{id}")]).collect();
    let add: Vec<&str> = ["ZADD", "sessions:{default}"].into_iter().chain(dead.iter().map(String::as_str)).collect();
    server.command(&add);
    let _sessions = open(&restricted_url(&server), |_| {}).await;
    let sweeps = || server.command(&["INFO", "commandstats"]).matches("cmdstat_zrangebyscore:calls=1,").count();
    eventually("it is looked at", async || sweeps() == 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sweeps(), 1, "and not again at once");
}

#[tokio::test]
async fn each_permission_of_the_page_is_needed() {
    let server = RedisServer::start();
    restrict(&server);
    everything(&restricted_url(&server), |arguments| server.command(arguments)).await;
    let statistics = server.command(&["INFO", "commandstats"]);
    for command in permissions() {
        assert!(statistics.contains(&format!("cmdstat_{command}:")), "{command} was never run");
    }
}

#[tokio::test]
async fn another_database_and_a_cluster_need_what_the_page_says() {
    let (database, cluster) = ("+select", "+cluster|slots +asking +ping");
    assert!(REDIS_PAGE.contains(&format!("`{database}`")) && REDIS_PAGE.contains(&format!("`{cluster}`")));

    let server = RedisServer::start();
    restrict(&server);
    server.command(&["ACL", "SETUSER", "footnote", database]);
    let command = |arguments: &[&str]| server.command(&[&["-n", "3"], arguments].concat());
    everything(&format!("{}/3", restricted_url(&server)), command).await;

    let nodes = RedisCluster::start_with(1, &[]);
    let node = &nodes.masters[0];
    restrict(node);
    let rules: Vec<_> = ["ACL", "SETUSER", "footnote"].into_iter().chain(cluster.split(' ')).collect();
    node.command(&rules);
    let url = restricted_url(node).replace("redis://", "redis+cluster://");
    everything(&url, |arguments| node.command(arguments)).await;
}
