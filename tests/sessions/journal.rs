//! Turns that were answered while Redis was away survive the server, too.

use std::path::Path;
use std::time::{Duration, Instant};

use footnote::sessions::{Backend, SessionOptions, Sessions};
use tempfile::TempDir;

use crate::place::{PATIENT, assert_turns_are_whole, contents, eventually, key, read, redis_at, say, turn};
use crate::redis_server::RedisServer;

async fn server(redis: &RedisServer, folder: &Path) -> Sessions {
    server_with(redis, folder, |_| {}).await
}

async fn server_with(redis: &RedisServer, folder: &Path, change: impl FnOnce(&mut SessionOptions)) -> Sessions {
    let mut options = SessionOptions::new(redis_at(&redis.url(), PATIENT));
    options.journal = Some(folder.to_owned());
    change(&mut options);
    Sessions::open(options).await.unwrap()
}

async fn replayed(sessions: &Sessions) {
    eventually("no turn waits any more", async || sessions.pending_turns() == 0).await;
}

#[tokio::test]
async fn turns_of_an_outage_survive_the_server() {
    let (mut redis, folder) = (RedisServer::start(), TempDir::new().unwrap());
    let sessions = server(&redis, folder.path()).await;
    let (known, unknown) = (key("known"), key("unknown"));
    say(&sessions, &known, "1").await;
    redis.kill();
    for name in ["2", "3"] {
        assert_eq!(say(&sessions, &known, name).await.backend, Backend::Memory);
    }
    say(&sessions, &unknown, "a").await;
    assert_eq!(sessions.waiting().turns, 3);
    assert!(sessions.waiting().on_disk && sessions.waiting().bytes > 0);
    // Without a farewell, as SIGKILL would have it: what was acknowledged to a client was on disk by then.
    std::mem::forget(sessions.clone());
    let copy = TempDir::new().unwrap();
    std::fs::copy(folder.path().join("journal-0.redb"), copy.path().join("journal-0.redb")).unwrap();

    // The next one starts in the outage, answers in it, and its turns queue behind those of the first.
    let next = server(&redis, copy.path()).await;
    assert_eq!(next.waiting().turns, 3);
    let loaded = next.load(&known).await;
    assert_eq!(contents(&loaded.messages), ["2", "2!", "3", "3!"]);
    say(&next, &known, "4").await;

    redis.restart();
    replayed(&next).await;
    let session = read(&next, &known).await;
    assert_eq!(contents(&session.messages), ["1", "1!", "2", "2!", "3", "3!", "4", "4!"]);
    assert_eq!((session.session_persisted, session.backend), (true, Backend::Redis));
    // The first one goes on, too, and sends what was sent already.
    replayed(&sessions).await;
    assert_eq!(read(&sessions, &known).await.length, 8, "nothing twice");
    assert_eq!(contents(&read(&next, &unknown).await.messages), ["a", "a!"]);

    next.shutdown().await;
    drop(next);
    assert_eq!(server(&redis, copy.path()).await.waiting().turns, 0, "the journal is empty");
}

#[tokio::test]
async fn a_clean_end_leaves_the_turns_for_the_next_start() {
    let (mut redis, folder) = (RedisServer::start(), TempDir::new().unwrap());
    let sessions = server(&redis, folder.path()).await;
    redis.kill();
    say(&sessions, &key("a"), "one").await;
    sessions.shutdown().await;
    drop(sessions);
    redis.restart();
    let sessions = server(&redis, folder.path()).await;
    replayed(&sessions).await;
    assert_eq!(contents(&read(&sessions, &key("a")).await.messages), ["one", "one!"]);
}

#[tokio::test]
async fn a_session_that_would_have_expired_meanwhile_stays_so() {
    let (mut redis, folder) = (RedisServer::start(), TempDir::new().unwrap());
    let ttl = Duration::from_secs(1);
    let short_lived = |options: &mut SessionOptions| options.ttl = Some(ttl);
    let sessions = server_with(&redis, folder.path(), short_lived).await;
    redis.kill();
    let key = key("expired");
    say(&sessions, &key, "1").await;
    let written = Instant::now();
    sessions.shutdown().await;
    drop(sessions);

    eventually("the turn is too old", async || written.elapsed() > ttl).await;
    redis.restart();
    let sessions = server_with(&redis, folder.path(), short_lived).await;
    replayed(&sessions).await;
    assert!(sessions.read(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_that_was_deleted_meanwhile_stays_so() {
    let (mut redis, folder) = (RedisServer::start(), TempDir::new().unwrap());
    let sessions = server(&redis, folder.path()).await;
    let key = key("deleted");
    say(&sessions, &key, "1").await;
    redis.kill();
    say(&sessions, &key, "2").await;
    sessions.shutdown().await;
    drop(sessions);
    redis.restart();
    let other = server(&redis, TempDir::new().unwrap().path()).await;
    assert!(other.delete(&key).await.unwrap());
    let sessions = server(&redis, folder.path()).await;
    replayed(&sessions).await;
    assert!(sessions.read(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn what_has_no_room_is_answered_and_not_kept() {
    let (mut redis, folder) = (RedisServer::start(), TempDir::new().unwrap());
    let sessions = server_with(&redis, folder.path(), |options| options.pending_bytes = 100_000).await;
    redis.kill();
    let key = key("large");
    let seen = sessions.load(&key).await.seen;
    for _ in 0..10 {
        let saved = sessions.append(&key, seen, turn(&"x".repeat(10_000))).await;
        assert!(!saved.persisted);
    }
    let waiting = sessions.waiting();
    assert!((1..10).contains(&waiting.turns) && waiting.bytes <= waiting.limit_bytes, "{waiting:?}");
    redis.restart();
    replayed(&sessions).await;
    let session = read(&sessions, &key).await;
    assert_eq!(session.messages.len(), 2 * waiting.turns);
    assert_turns_are_whole(&session);
}

#[tokio::test]
async fn a_damaged_journal_is_named_at_the_start_and_left_alone() {
    let (redis, folder) = (RedisServer::stopped(&[]), TempDir::new().unwrap());
    std::fs::write(folder.path().join("journal-0.redb"), "no journal").unwrap();
    let mut options = SessionOptions::new(redis_at(&redis.url(), PATIENT));
    options.journal = Some(folder.path().to_owned());
    let error = Sessions::open(options).await.unwrap_err();
    assert!(error.to_string().contains("journal-0.redb") && error.to_string().contains("move it away"), "{error}");
    assert_eq!(std::fs::read(folder.path().join("journal-0.redb")).unwrap(), b"no journal");
}
