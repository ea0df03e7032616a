//! A Redis behind sentinels: its master is found, and found again after a failover.

use std::time::Duration;

use footnote::sessions::{Error, SessionOptions, Sessions};

use crate::place::{PATIENT, assert_turns_are_whole, contents, eventually, key, read, redis_at, say};
use crate::redis_sentinel::{MASTER, RedisSentinels};

async fn on(url: &str) -> Sessions {
    Sessions::open(SessionOptions::new(redis_at(url, PATIENT))).await.unwrap()
}

#[tokio::test]
async fn when_the_master_dies_turns_go_on_and_are_saved_by_its_successor() {
    let mut redis = RedisSentinels::start();
    redis.wait_until_acquainted();
    let sessions = on(&redis.url()).await;
    let key = key("failover");
    for name in ["1", "2", "3"] {
        assert!(say(&sessions, &key, name).await.persisted);
    }
    // Replication is asynchronous: what the replica did not have yet would be lost with the master.
    redis.master.wait_until_copied_to(&redis.replica);
    redis.master.kill();

    let saved = say(&sessions, &key, "4").await;
    assert_eq!((saved.persisted, saved.conversation_length), (false, 8));
    say(&sessions, &key, "5").await;
    // Only now: the turns must not find a successor already. A replica that was without its master for ten times as long
    // before is not promoted.
    redis.replace_after(Duration::from_secs(2));
    eventually("the turns are saved by the new master", async || sessions.pending_turns() == 0).await;
    assert_eq!(redis.replica.info("role"), "master");
    assert!(say(&sessions, &key, "6").await.persisted);

    let session = read(&on(&redis.url()).await, &key).await;
    assert_turns_are_whole(&session);
    let questions: Vec<_> = contents(&session.messages).into_iter().step_by(2).collect();
    assert_eq!((questions, session.length), (vec!["1", "2", "3", "4", "5", "6"], 12));
}

#[tokio::test]
async fn a_master_that_was_demoted_is_left_for_its_successor() {
    let redis = RedisSentinels::start();
    redis.wait_until_acquainted();
    let sessions = on(&redis.url()).await;
    let key = key("demoted");
    assert!(say(&sessions, &key, "1").await.persisted);
    redis.master.wait_until_copied_to(&redis.replica);
    // A sentinel that has not heard of the replica for some seconds refuses.
    eventually("a failover begins", async || redis.command(&["SENTINEL", "FAILOVER", MASTER]) == "OK").await;
    // Whoever is connected while a sentinel promotes it is cut off.
    let is_master = |role: String| role.starts_with("master");
    eventually("the replica is the master", async || redis.replica.try_command(&["ROLE"]).is_ok_and(is_master)).await;
    // As the sentinels do at once or some seconds later.
    let follow = ["REPLICAOF", "127.0.0.1", &redis.replica.port().to_string()];
    eventually("the master is a replica", async || redis.master.try_command(&follow).is_ok()).await;
    say(&sessions, &key, "2").await;
    eventually("all is saved", async || sessions.pending_turns() == 0).await;
    assert_eq!(contents(&read(&sessions, &key).await.messages), ["1", "1!", "2", "2!"]);
    assert_eq!(redis.replica.command(&["EXISTS", "session:{default:demoted}"]), "1");
}

#[tokio::test]
async fn a_sentinel_that_hangs_or_is_gone_costs_nothing() {
    let redis = RedisSentinels::start();
    redis.pause_a_sentinel();
    let url = redis.url().replace("redis+sentinel://", "redis+sentinel://127.0.0.1:9,");
    assert!(say(&on(&url).await, &key("one of four"), "1").await.persisted);
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_said() {
    let redis = RedisSentinels::start();
    let sessions = on(&redis.url().replace("/main", "/other")).await;
    assert!(!say(&sessions, &key("a"), "1").await.persisted);
    let error = sessions.check().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(Some(_))), "{error:?}");
    let said = format!("{:#}", anyhow::Error::new(error));
    assert!(said.contains("sentinel monitor"), "{said}");
}
