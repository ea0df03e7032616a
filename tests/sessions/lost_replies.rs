//! Redis did what it was asked, and the connection broke before it could say so: the command is sent again, which must
//! neither change anything nor be taken for somebody else's.

use footnote::sessions::{Backend, History, Imported, SessionOptions, Sessions};

use crate::chaos_proxy::{ChaosProxy, Network};
use crate::idempotency::{request, reserve};
use crate::place::{PATIENT, contents, eventually, key, read, redis_at, say};
use crate::redis_server::RedisServer;

async fn behind_a_proxy(redis: &RedisServer) -> (ChaosProxy, Sessions) {
    let proxy = ChaosProxy::start(redis.port()).await;
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let sessions = Sessions::open(SessionOptions::new(redis_at(&url, PATIENT))).await.unwrap();
    (proxy, sessions)
}

/// The reply to every second request that contains `to`.
fn lose_every_second(proxy: &ChaosProxy, to: &'static str) {
    proxy.set(Network::LosingReplies { to, one_in: 2 });
}

#[tokio::test]
async fn a_key_that_was_reserved_is_not_somebody_elses() {
    let redis = RedisServer::start();
    let (proxy, sessions) = behind_a_proxy(&redis).await;
    let named = |name| request(name, "digest");
    // So that Redis knows the script.
    let _before = reserve(&sessions, &key("once"), &named("before")).await;
    lose_every_second(&proxy, "digest");
    let _first = reserve(&sessions, &key("once"), &named("first")).await;
    let _second = reserve(&sessions, &key("once"), &named("second")).await;
    assert_eq!(proxy.replies_lost(), 1);
}

#[tokio::test]
async fn a_session_that_was_deleted_was_there() {
    let redis = RedisServer::start();
    let (proxy, sessions) = behind_a_proxy(&redis).await;
    for id in ["before", "a", "b"] {
        say(&sessions, &key(id), "one").await;
    }
    assert!(sessions.delete(&key("before")).await.unwrap());
    lose_every_second(&proxy, ":gone");
    assert!(sessions.delete(&key("a")).await.unwrap());
    assert!(sessions.delete(&key("b")).await.unwrap());
    assert_eq!(proxy.replies_lost(), 1);
    assert!(!sessions.delete(&key("b")).await.unwrap(), "another deletion finds nothing");
}

#[tokio::test]
async fn an_import_replaces_a_session_by_a_whole_one_or_not_at_all() {
    let redis = RedisServer::start();
    let (proxy, sessions) = behind_a_proxy(&redis).await;
    let key = key("imported");
    say(&sessions, &key, "one").await;
    let exported = sessions.export(&key).await.unwrap().expect("it is there");
    assert_eq!(sessions.import(exported.clone(), true).await.unwrap(), Imported::Added);
    // The messages arrive, and the reply to what makes a session of them is lost.
    lose_every_second(&proxy, ":import:");
    assert_eq!(sessions.import(exported.clone(), true).await.unwrap(), Imported::Added);
    assert_eq!(proxy.replies_lost(), 1);
    // The reply to the messages is lost, and they arrive twice.
    assert!(sessions.import(exported, true).await.is_err());
    proxy.set(Network::Working);
    assert_eq!(contents(&read(&sessions, &key).await.messages), ["one", "one!"]);
}

#[tokio::test]
async fn a_turn_that_was_saved_unheard_is_not_left_out_of_the_next_outage() {
    let redis = RedisServer::start();
    let (proxy, sessions) = behind_a_proxy(&redis).await;
    let key = key("unheard");
    say(&sessions, &key, "one").await;
    proxy.set(Network::LosingReplies { to: "two!", one_in: 1 });
    assert_eq!(say(&sessions, &key, "two").await.backend, Backend::Memory);
    proxy.set(Network::Working);
    eventually("it is acknowledged", async || sessions.pending_turns() == 0).await;
    proxy.set(Network::Resetting);
    // Known without "two" would be wrong.
    let loaded = sessions.load(&key).await;
    assert_eq!((loaded.history, contents(&loaded.messages)), (History::Unavailable, vec![]));
}
