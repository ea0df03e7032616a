//! Redis away, silent, full, or not what it was: nothing acknowledged is lost, nothing is saved twice, and the flags
//! say what happened.

use std::time::{Duration, Instant};

use footnote::sessions::{Backend, Error, History, Saved, SessionKey, SessionOptions, Sessions};

use crate::place::{PATIENT, assert_turns_are_whole, contents, eventually, key, read, redis_at, say, turn};
use crate::redis_server::RedisServer;

const IN_MEMORY: (bool, Backend) = (false, Backend::Memory);
const IN_REDIS: (bool, Backend) = (true, Backend::Redis);

fn flags(saved: Saved) -> (bool, Backend) {
    (saved.persisted, saved.backend)
}

/// Where Redis hangs, and a test waits until it runs out.
const WAITED_OUT: Duration = Duration::from_secs(2);

async fn on(server: &RedisServer) -> Sessions {
    within(PATIENT, server).await
}

async fn within(deadline: Duration, server: &RedisServer) -> Sessions {
    Sessions::open(SessionOptions::new(redis_at(&server.url(), deadline))).await.unwrap()
}

async fn replayed(sessions: &Sessions) {
    eventually("no turn waits any more", async || sessions.pending_turns() == 0).await;
}

#[tokio::test]
async fn redis_need_not_be_there_at_the_start() {
    let mut server = RedisServer::stopped(&[]);
    let sessions = on(&server).await;
    let key = key("early");
    let loaded = sessions.load(&key).await;
    assert_eq!((loaded.history, loaded.messages.len()), (History::Unavailable, 0));
    let saved = sessions.append(&key, loaded.seen, turn("one")).await;
    assert_eq!((flags(saved), saved.conversation_length), (IN_MEMORY, 2));
    assert!(sessions.check().await.is_err());

    server.restart();
    replayed(&sessions).await;
    assert_eq!(contents(&read(&sessions, &key).await.messages), ["one", "one!"]);
    assert_eq!(flags(say(&sessions, &key, "two").await), IN_REDIS);
    sessions.check().await.unwrap();
}

#[tokio::test]
async fn turns_of_an_outage_are_answered_from_memory_and_saved_after_it() {
    let mut server = RedisServer::start();
    let sessions = on(&server).await;
    let (known, unknown) = (key("known"), key("unknown"));
    assert_eq!(flags(say(&sessions, &known, "1").await), IN_REDIS);
    server.kill();

    for (name, length) in [("2", 4), ("3", 6)] {
        let saved = say(&sessions, &known, name).await;
        assert_eq!((flags(saved), saved.conversation_length), (IN_MEMORY, length));
    }
    let loaded = sessions.load(&known).await;
    assert_eq!(contents(&loaded.messages), ["1", "1!", "2", "2!", "3", "3!"]);
    assert_eq!((loaded.length, loaded.history), (6, History::Known));

    say(&sessions, &unknown, "a").await;
    let loaded = sessions.load(&unknown).await;
    assert_eq!((contents(&loaded.messages), loaded.history), (vec!["a", "a!"], History::Unavailable));

    server.restart();
    replayed(&sessions).await;
    let session = read(&sessions, &known).await;
    assert_eq!(contents(&session.messages), ["1", "1!", "2", "2!", "3", "3!"]);
    assert_eq!((session.session_persisted, session.backend, session.length), (true, Backend::Redis, 6));
    assert_eq!(sessions.load(&unknown).await.history, History::Known);
    assert_eq!(say(&sessions, &unknown, "b").await.conversation_length, 4);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_is_an_error_and_not_an_empty_one() {
    let mut server = RedisServer::start();
    let sessions = on(&server).await;
    let key = key("unreadable");
    say(&sessions, &key, "one").await;
    server.kill();
    let outage = |error: Error| assert!(error.is_outage(), "{error:?}");
    outage(sessions.read(&key).await.unwrap_err());
    outage(sessions.delete(&key).await.unwrap_err());
    outage(sessions.patch_metadata(&key, serde_json::json!({"a": 1})).await.unwrap_err());
    outage(sessions.list("default", None, 10).await.unwrap_err());
    outage(sessions.check().await.unwrap_err());
    assert_eq!(sessions.backend(), Backend::Redis);
}

#[tokio::test]
async fn an_outage_costs_one_deadline_and_not_one_per_turn() {
    let server = RedisServer::start();
    let sessions = within(WAITED_OUT, &server).await;
    let key = key("paused");
    say(&sessions, &key, "before").await;
    server.pause();
    let begun = Instant::now();
    for number in 0..50 {
        assert_eq!(flags(say(&sessions, &key, &number.to_string()).await), IN_MEMORY);
    }
    // One deadline each would be 200 s.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    server.resume();
    replayed(&sessions).await;
    let session = read(&sessions, &key).await;
    assert_eq!(session.length, 102);
    assert_turns_are_whole(&session);
    let numbers: Vec<_> = session.messages[2..].chunks(2).map(|pair| pair[0].content.clone()).collect();
    assert_eq!(numbers, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// The append whose answer never came was executed after all, when Redis went on.
#[tokio::test]
async fn a_turn_whose_acknowledgement_was_lost_is_saved_once() {
    let server = RedisServer::start();
    let sessions = within(WAITED_OUT, &server).await;
    let key = key("once");
    // So that Redis knows the script.
    say(&sessions, &key, "one").await;
    let loaded = sessions.load(&key).await;
    server.pause();
    // Sent to a server that listens and does nothing, so that it waits in the socket.
    assert_eq!(flags(sessions.append(&key, loaded.seen, turn("two")).await), IN_MEMORY);
    assert_eq!(flags(say(&sessions, &key, "three").await), IN_MEMORY);
    server.resume();
    replayed(&sessions).await;
    let session = read(&sessions, &key).await;
    assert_eq!(contents(&session.messages), ["one", "one!", "two", "two!", "three", "three!"]);
    assert_eq!(session.length, 6);
}

#[tokio::test]
async fn servers_of_one_redis_replay_each_in_its_own_order() {
    let mut server = RedisServer::start();
    let (one, other) = (on(&server).await, on(&server).await);
    let key = key("both");
    say(&one, &key, "begin").await;
    other.load(&key).await;
    server.kill();
    for number in 0..10 {
        say(&one, &key, &format!("one {number}")).await;
        say(&other, &key, &format!("other {number}")).await;
    }
    server.restart();
    replayed(&one).await;
    replayed(&other).await;
    let session = read(&one, &key).await;
    assert_turns_are_whole(&session);
    assert_eq!(session.length, 42);
    for name in ["one", "other"] {
        let questions = session.messages.iter().step_by(2).map(|message| message.content.as_str());
        let of_server: Vec<_> = questions.filter(|question| question.starts_with(&format!("{name} "))).collect();
        assert_eq!(of_server, (0..10).map(|number| format!("{name} {number}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_session_deleted_during_an_outage_of_one_server_stays_deleted() {
    // One server loses its connection; Redis is there for the other.
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", server.port());
    let open = async |url: &str| Sessions::open(SessionOptions::new(redis_at(url, PATIENT))).await.unwrap();
    let cut_off = open(&url("secret")).await;
    let key = key("deleted");
    say(&cut_off, &key, "one").await;
    let cli = |arguments: &[&str]| server.command(&[&["-a", "secret"], arguments].concat());
    let first_client = cli(&["CLIENT", "LIST"]).lines().next().unwrap().split_once(' ').unwrap().0.replace("id=", "");
    // Nobody can log in any more; those who have stay, save the one who is thrown out.
    let other = open(&url("secret")).await;
    other.check().await.unwrap();
    cli(&["CONFIG", "SET", "requirepass", "changed"]);
    server.command(&["-a", "changed", "CLIENT", "KILL", "ID", &first_client]);

    assert_eq!(flags(say(&cut_off, &key, "two").await), IN_MEMORY);
    assert!(other.delete(&key).await.unwrap());
    server.command(&["-a", "changed", "CONFIG", "SET", "requirepass", "secret"]);
    replayed(&cut_off).await;
    assert!(other.read(&key).await.unwrap().is_none());
    assert!(cut_off.read(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_no_outage() {
    let server = RedisServer::start();
    let sessions = on(&server).await;
    let key = key("idle");
    say(&sessions, &key, "one").await;
    server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert_eq!(flags(say(&sessions, &key, "two").await), IN_REDIS);
}

#[tokio::test]
async fn a_full_redis_keeps_nothing_and_says_so() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let sessions = on(&server).await;
    let key = key("full");
    say(&sessions, &key, "one").await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(flags(say(&sessions, &key, "two").await), IN_MEMORY);
    // What is there can still be read; what waits is shown, and flagged.
    let session = read(&sessions, &key).await;
    assert_eq!(contents(&session.messages), ["one", "one!", "two", "two!"]);
    assert_eq!((session.session_persisted, session.backend, session.length), (false, Backend::Memory, 4));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    replayed(&sessions).await;
    let session = read(&sessions, &key).await;
    assert_eq!((session.session_persisted, session.length), (true, 4));
}

#[tokio::test]
async fn a_session_whose_first_turn_waits_is_there_until_it_is_deleted() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let sessions = on(&server).await;
    let key = key("new");
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(flags(say(&sessions, &key, "one").await), IN_MEMORY);
    assert!(sessions.read(&key).await.is_err_and(|error| error.is_outage()));

    let loaded = sessions.load(&key).await;
    let under_way = turn("two");
    assert!(sessions.delete(&key).await.unwrap());
    assert!(sessions.read(&key).await.unwrap().is_none());
    let saved = sessions.append(&key, loaded.seen, under_way).await;
    assert_eq!((flags(saved), saved.conversation_length), (IN_MEMORY, 0));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(sessions.pending_turns(), 0);
    assert!(sessions.read(&key).await.unwrap().is_none(), "the turn under way did not bring it back");
    assert_eq!(say(&sessions, &key, "three").await.conversation_length, 2);
}

#[tokio::test]
async fn what_may_have_expired_is_not_remembered_in_an_outage() {
    let mut server = RedisServer::start();
    let mut options = SessionOptions::new(redis_at(&server.url(), PATIENT));
    options.ttl = Some(Duration::from_millis(500));
    let sessions = Sessions::open(options).await.unwrap();
    let key = key("expired");
    say(&sessions, &key, "one").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    server.kill();
    let loaded = sessions.load(&key).await;
    assert_eq!((loaded.history, loaded.messages.len()), (History::Unavailable, 0));
}

#[tokio::test]
async fn a_replica_takes_no_turns() {
    let server = RedisServer::start();
    let sessions = on(&server).await;
    let key = key("replica");
    say(&sessions, &key, "one").await;
    // Of a primary that is not there; it still has its data.
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(flags(say(&sessions, &key, "two").await), IN_MEMORY);
    assert!(sessions.read(&key).await.is_err_and(|error| error.is_outage()));
    assert!(sessions.check().await.is_err());
    server.command(&["REPLICAOF", "NO", "ONE"]);
    replayed(&sessions).await;
    assert_eq!(read(&sessions, &key).await.length, 4);
}

#[tokio::test]
async fn what_was_acknowledged_survives_redis_being_killed() {
    let mut server = RedisServer::start();
    let sessions = on(&server).await;
    let keys: Vec<SessionKey> = (0..5).map(|number| key(&format!("user {number}"))).collect();
    for round in 0..6 {
        if round % 2 == 1 {
            server.kill();
        }
        for key in &keys {
            say(&sessions, key, &round.to_string()).await;
        }
        if round % 2 == 1 {
            server.restart();
        }
    }
    replayed(&sessions).await;
    let fresh = on(&server).await;
    for key in &keys {
        let session = read(&fresh, key).await;
        assert_eq!(session.session_id, key.id());
        let questions: Vec<_> = session.messages.iter().step_by(2).map(|message| message.content.as_str()).collect();
        assert_eq!(questions, ["0", "1", "2", "3", "4", "5"]);
        assert_turns_are_whole(&session);
    }
}

#[tokio::test]
async fn a_clean_end_saves_what_waits() {
    let server = RedisServer::start();
    let sessions = on(&server).await;
    let key = key("last");
    say(&sessions, &key, "one").await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    say(&sessions, &key, "two").await;
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    sessions.shutdown().await;
    assert_eq!(read(&on(&server).await, &key).await.length, 4);
}

#[tokio::test]
async fn memory_for_waiting_turns_is_bounded() {
    let mut server = RedisServer::start();
    let mut options = SessionOptions::new(redis_at(&server.url(), PATIENT));
    options.pending_bytes = 20_000;
    let sessions = Sessions::open(options).await.unwrap();
    server.kill();
    let key = key("flood");
    for _ in 0..20 {
        assert_eq!(flags(say(&sessions, &key, &"x".repeat(2_000)).await), IN_MEMORY);
    }
    let waiting = sessions.pending_turns();
    assert!((1..=5).contains(&waiting), "{waiting}");
    server.restart();
    replayed(&sessions).await;
    assert_eq!(read(&sessions, &key).await.length, 2 * waiting as u64);
}

#[tokio::test]
async fn a_turn_that_waited_longer_than_its_session_lives_is_not_saved() {
    let mut server = RedisServer::start();
    // The second turn has to be in Redis, and read, within it: time for a server to start and to be found again.
    let ttl = Duration::from_secs(12);
    let mut options = SessionOptions::new(redis_at(&server.url(), PATIENT));
    options.ttl = Some(ttl);
    let sessions = Sessions::open(options).await.unwrap();
    server.kill();
    let key = key("expired");
    say(&sessions, &key, "one").await;
    let said = Instant::now();
    eventually("its life is over", async || said.elapsed() > ttl).await;
    say(&sessions, &key, "two").await;
    server.restart();
    replayed(&sessions).await;
    assert_eq!(contents(&read(&sessions, &key).await.messages), ["two", "two!"]);
}
