//! A request is answered once, on every store, whoever asks again.

use std::time::Duration;

use footnote::sessions::{IdempotencyKey, IdempotentRequest, Reservation, Reserved, Saved, SessionKey, Sessions};

use crate::place::{PATIENT, Place, contents, eventually, key, read, redis_at, turn};
use crate::redis_server::RedisServer;

/// Longer than any test.
const LIFE: Duration = Duration::from_secs(600);

pub(crate) fn request(name: &str, digest: &str) -> IdempotentRequest {
    IdempotentRequest { key: IdempotencyKey::parse(name).unwrap(), digest: digest.into() }
}

pub(crate) async fn reserve(sessions: &Sessions, key: &SessionKey, request: &IdempotentRequest) -> Reserved {
    match sessions.reserve(key, request, LIFE).await {
        Reservation::Reserved(reserved) => reserved,
        other => panic!("the key is held: {other:?}"),
    }
}

pub(crate) async fn answer(sessions: &Sessions, reserved: Reserved, name: &str) -> Saved {
    let key = key("once");
    let loaded = sessions.load(&key).await;
    let mut turn = turn(name);
    turn.stored_answer = Some(reserved.answer(format!("the answer to {name}\nin two lines")));
    sessions.append(&key, loaded.seen, turn).await
}

async fn every_place() -> [Place; 5] {
    [
        Place::Memory,
        Place::embedded(),
        Place::restricted_redis(),
        Place::redis_cluster().await,
        Place::redis_sentinel().await,
    ]
}

#[tokio::test]
async fn an_answered_request_gets_its_answer_again() {
    for place in every_place().await {
        let sessions = place.open().await;
        let (key, first, second) = (key("once"), request("a key", "digest"), request("another", "digest"));
        let saved = answer(&sessions, reserve(&sessions, &key, &first).await, "one").await;
        assert_eq!((saved.persisted, saved.conversation_length), (place.is_durable(), 2));
        answer(&sessions, reserve(&sessions, &key, &second).await, "two").await;

        match sessions.reserve(&key, &first, LIFE).await {
            Reservation::Answered { response, saved: again } => {
                assert_eq!((response.as_str(), again), ("the answer to one\nin two lines", saved));
            }
            other => panic!("{other:?}"),
        }
        let other_body = request("a key", "another digest");
        assert!(matches!(sessions.reserve(&key, &other_body, LIFE).await, Reservation::OtherRequest));
        // A key counts in its session only.
        reserve(&sessions, &crate::place::key("elsewhere"), &other_body).await;
        assert_eq!(read(&sessions, &key).await.length, 4);
    }
}

#[tokio::test]
async fn a_request_in_flight_is_not_answered_twice() {
    for place in every_place().await {
        let sessions = place.open().await;
        let (key, request, other) = (key("once"), request("k", "digest"), request("k", "another"));
        let reserved = reserve(&sessions, &key, &request).await;
        assert!(matches!(sessions.reserve(&key, &request, LIFE).await, Reservation::InFlight));
        assert!(matches!(sessions.reserve(&key, &other, LIFE).await, Reservation::OtherRequest));
        // Its turn failed: it may be tried again, with another body even.
        sessions.release(&reserved).await;
        drop(reserved);
        sessions.release(&reserve(&sessions, &key, &other).await).await;
        answer(&sessions, reserve(&sessions, &key, &request).await, "one").await;
        assert!(matches!(sessions.reserve(&key, &request, LIFE).await, Reservation::Answered { .. }));
    }
}

#[tokio::test]
async fn a_deleted_session_forgets_its_answers() {
    for place in every_place().await {
        let sessions = place.open().await;
        let (key, request) = (key("once"), request("k", "digest"));
        answer(&sessions, reserve(&sessions, &key, &request).await, "one").await;
        assert!(sessions.delete(&key).await.unwrap());
        reserve(&sessions, &key, &request).await;
    }
}

#[tokio::test]
async fn a_held_key_is_no_session() {
    let place = Place::redis();
    let sessions = place.open().await;
    let (key, request) = (key("once"), request("k", "digest"));
    let _reserved = reserve(&sessions, &key, &request).await;
    assert!(sessions.read(&key).await.unwrap().is_none());
    assert!(!sessions.delete(&key).await.unwrap());
    assert_eq!(sessions.load(&key).await.length, 0);
    let Place::Redis(server) = &place else { unreachable!() };
    let left: u64 = server.command(&["PTTL", "session:{default:once}:turns"]).parse().unwrap();
    assert!(left <= LIFE.as_millis() as u64, "it goes when the turn should be over");
}

#[tokio::test]
async fn answers_survive_a_restart_of_the_server() {
    for place in [Place::embedded(), Place::redis()] {
        let (key, request) = (key("once"), request("k", "digest"));
        let sessions = place.open().await;
        answer(&sessions, reserve(&sessions, &key, &request).await, "one").await;
        sessions.shutdown().await;
        drop(sessions);
        let sessions = place.open().await;
        assert!(matches!(sessions.reserve(&key, &request, LIFE).await, Reservation::Answered { .. }));
    }
}

#[tokio::test]
async fn a_key_held_by_one_server_is_held_for_all() {
    let place = Place::redis();
    let (one, other) = (place.open().await, place.open().await);
    let (key, request) = (key("once"), request("k", "digest"));
    let reserved = reserve(&one, &key, &request).await;
    assert!(matches!(other.reserve(&key, &request, LIFE).await, Reservation::InFlight));
    answer(&one, reserved, "one").await;
    assert!(matches!(other.reserve(&key, &request, LIFE).await, Reservation::Answered { .. }));
}

/// A server that was killed while it answered must not block the request for ever.
#[tokio::test]
async fn a_key_is_held_no_longer_than_a_turn_may_take() {
    let place = Place::redis();
    let (one, other) = (place.open().await, place.open().await);
    let (key, request) = (key("once"), request("k", "digest"));
    let Reservation::Reserved(_never_released) = one.reserve(&key, &request, Duration::from_millis(300)).await else {
        panic!("the key is free");
    };
    eventually("the key is free", async || {
        matches!(other.reserve(&key, &request, LIFE).await, Reservation::Reserved(_))
    })
    .await;
}

#[tokio::test]
async fn in_an_outage_a_request_is_answered_once_by_this_server_and_saved_once_by_all() {
    let mut redis = RedisServer::start();
    let open = async || {
        let options = footnote::sessions::SessionOptions::new(redis_at(&redis.url(), PATIENT));
        Sessions::open(options).await.unwrap()
    };
    let (one, other) = (open().await, open().await);
    let (key, request) = (key("once"), request("k", "digest"));
    redis.kill();
    let saved = answer(&one, reserve(&one, &key, &request).await, "one").await;
    assert!(!saved.persisted);
    match one.reserve(&key, &request, LIFE).await {
        Reservation::Answered { response, saved: again } => {
            assert_eq!((response.as_str(), again), ("the answer to one\nin two lines", saved));
        }
        unexpected => panic!("{unexpected:?}"),
    }
    // This server cannot know. Its client was the faster one.
    let elsewhere = answer(&other, reserve(&other, &key, &request).await, "one elsewhere").await;
    assert!(!elsewhere.persisted);

    redis.restart();
    eventually("no turn waits", async || one.pending_turns() + other.pending_turns() == 0).await;
    let session = read(&one, &key).await;
    assert_eq!(session.messages.len(), 2, "{:?}", contents(&session.messages));
    assert!(matches!(other.reserve(&key, &request, LIFE).await, Reservation::Answered { .. }));
}
