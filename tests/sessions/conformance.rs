//! What every store does, run on every store.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use footnote::sessions::{Backend, Error, History, Role, Seen, SessionKey, Turn};
use footnote::source_document::SourceDocument;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::place::{Place, assert_turns_are_whole, contents, eventually, key, read, say, turn};

macro_rules! on_every_store {
    ($($test:ident)*) => {
        on_store! { memory, Place::Memory, $($test)* }
        on_store! { embedded, Place::embedded(), $($test)* }
        on_store! { redis, Place::redis(), $($test)* }
        on_store! { restricted_redis, Place::restricted_redis(), $($test)* }
        on_store! { redis_cluster, Place::redis_cluster().await, $($test)* }
        on_store! { redis_sentinel, Place::redis_sentinel().await, $($test)* }
    };
}

macro_rules! on_store {
    ($store:ident, $place:expr, $($test:ident)*) => {
        mod $store {
            use super::Place;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test($place).await;
                }
            )*
        }
    };
}

on_every_store! {
    a_turn_is_two_messages_side_by_side
    flags_tell_where_the_turn_is
    old_turns_are_trimmed_whole_and_still_counted
    concurrent_turns_are_neither_lost_nor_torn
    a_turn_sees_the_newest_messages_only
    a_long_session_is_read_whole
    sources_are_kept_with_the_answer
    times_of_a_session
    a_session_lives_as_long_as_it_is_used
    a_session_without_ttl_never_expires
    similar_ids_are_different_sessions
    tenants_are_apart
    the_listing_is_newest_first_and_paged
    the_listing_knows_no_dead
    metadata_is_merged
    bad_metadata_changes_nothing
    a_deleted_session_is_gone
    a_turn_in_flight_does_not_bring_back_a_deleted_session
    what_is_not_there_cannot_be_read_or_changed
}

async fn a_turn_is_two_messages_side_by_side(place: Place) {
    let sessions = place.open().await;
    let key = key("user_123");

    let loaded = sessions.load(&key).await;
    assert_eq!((loaded.messages.len(), loaded.length, loaded.history), (0, 0, History::Known));
    let first = turn("one");
    assert_eq!(sessions.append(&key, loaded.seen, first.clone()).await.conversation_length, 2);
    assert_eq!(say(&sessions, &key, "two").await.conversation_length, 4);

    let loaded = sessions.load(&key).await;
    assert_eq!(contents(&loaded.messages), ["one", "one!", "two", "two!"]);
    assert_eq!((loaded.length, loaded.history), (4, History::Known));
    let session = read(&sessions, &key).await;
    assert_eq!(session.session_id, "user_123");
    assert_eq!(contents(&session.messages), ["one", "one!", "two", "two!"]);
    assert_eq!(session.length, 4);
    assert_eq!([&*session.messages[0], &*session.messages[1]], [&first.user, &first.assistant]);
    assert_eq!([session.messages[0].role, session.messages[1].role], [Role::User, Role::Assistant]);
}

async fn flags_tell_where_the_turn_is(place: Place) {
    let sessions = place.open().await;
    let (persisted, backend) = (place.is_durable(), place.backend());
    let saved = say(&sessions, &key("a"), "one").await;
    assert_eq!((saved.persisted, saved.backend), (persisted, backend));
    let session = read(&sessions, &key("a")).await;
    assert_eq!((session.session_persisted, session.backend), (persisted, backend));
    assert_eq!(sessions.backend(), backend);
    sessions.check().await.unwrap();
}

async fn old_turns_are_trimmed_whole_and_still_counted(place: Place) {
    // An odd limit leaves room for no half turn.
    let sessions = place.open_with(|options| options.max_messages = 7).await;
    let key = key("long");
    for name in ["1", "2", "3", "4", "5"] {
        say(&sessions, &key, name).await;
    }
    let session = read(&sessions, &key).await;
    assert_eq!(contents(&session.messages), ["3", "3!", "4", "4!", "5", "5!"]);
    assert_eq!(session.length, 10);
    assert_eq!(contents(&sessions.load(&key).await.messages), ["3", "3!", "4", "4!", "5", "5!"]);
}

async fn concurrent_turns_are_neither_lost_nor_torn(place: Place) {
    let sessions = place.open().await;
    let key = key("busy");
    let turns = (0..64).map(|number| {
        let (sessions, key) = (sessions.clone(), key.clone());
        tokio::spawn(async move { say(&sessions, &key, &number.to_string()).await })
    });
    let mut lengths = BTreeSet::new();
    for turn in turns.collect::<Vec<_>>() {
        let saved = turn.await.unwrap();
        assert_eq!(saved.persisted, place.is_durable());
        lengths.insert(saved.conversation_length);
    }
    assert_eq!(lengths, (1..=64).map(|turns| 2 * turns).collect());

    let session = read(&sessions, &key).await;
    assert_turns_are_whole(&session);
    let questions: BTreeSet<u32> = session.messages.chunks(2).map(|pair| pair[0].content.parse().unwrap()).collect();
    assert_eq!((session.messages.len(), questions), (128, (0..64).collect()));
}

async fn a_turn_sees_the_newest_messages_only(place: Place) {
    let sessions = place.open_with(|options| options.recent_messages = 3).await;
    let key = key("window");
    for name in ["1", "2", "3"] {
        say(&sessions, &key, name).await;
    }
    let loaded = sessions.load(&key).await;
    assert_eq!((contents(&loaded.messages), loaded.length), (vec!["2!", "3", "3!"], 6));
    assert_eq!(read(&sessions, &key).await.messages.len(), 6);
}

async fn a_long_session_is_read_whole(place: Place) {
    let sessions = place.open_with(|options| options.max_messages = 700).await;
    let key = key("long");
    let mut seen = Seen::NOTHING;
    for number in 0..400 {
        sessions.append(&key, seen, turn(&number.to_string())).await;
        seen = sessions.load(&key).await.seen;
    }
    let session = read(&sessions, &key).await;
    assert_turns_are_whole(&session);
    let questions: Vec<u32> =
        session.messages.iter().step_by(2).map(|message| message.content.parse().unwrap()).collect();
    assert_eq!((session.length, questions), (800, (50..400).collect()));
}

async fn sources_are_kept_with_the_answer(place: Place) {
    let sessions = place.open().await;
    let key = key("sources");
    let source = SourceDocument {
        n: 1,
        id: Uuid::new_v4(),
        document_id: Uuid::new_v4(),
        title: "A title".into(),
        source: "data/ml.md".into(),
        page: Some(3),
        heading: Some("Intro > What it is".into()),
        start: 10,
        end: 20,
        text: "Text with \"turn_id\":\"quotes\" and ü 🦀".into(),
        text_truncated: false,
        score: 0.5,
        cited: true,
    };
    let (now, seen) = (Timestamp::now(), sessions.load(&key).await.seen);
    let turn = Turn::new(now, "question".into(), now, "answer [1]".into(), vec![source.clone()]);
    sessions.append(&key, seen, turn).await;
    let session = read(&sessions, &key).await;
    assert_eq!(session.messages[0].source_documents, None);
    assert_eq!(session.messages[1].source_documents, Some(vec![source]));
}

async fn times_of_a_session(place: Place) {
    let sessions = place.open().await;
    let key = key("times");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let turn = |asked, answered| Turn::new(at(asked), "q".into(), at(answered), "a".into(), Vec::new());
    for turn in [
        turn("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:06Z"),
        turn("2026-01-02T03:05:00Z", "2026-01-02T03:05:01.5Z"),
    ] {
        let seen = sessions.load(&key).await.seen;
        sessions.append(&key, seen, turn).await;
    }
    let session = read(&sessions, &key).await;
    assert_eq!(session.created_at, at("2026-01-02T03:04:05.678Z"));
    assert_eq!(session.last_activity, at("2026-01-02T03:05:01.5Z"));
    assert_eq!(session.ttl_seconds, Some(3600));
}

async fn a_session_lives_as_long_as_it_is_used(place: Place) {
    let ttl = Duration::from_millis(1500);
    let sessions = place.open_with(|options| options.ttl = Some(ttl)).await;
    let key = key("short");
    let (mut begun, mut last_use) = (Instant::now(), Instant::now());
    say(&sessions, &key, "one").await;

    // Reading keeps it alive for longer than its life. A busy machine may not read it for so long: then once more.
    eventually("twice its life has passed", async || {
        let used = std::mem::replace(&mut last_use, Instant::now());
        if sessions.read(&key).await.unwrap().is_none() {
            assert!(used.elapsed() > ttl.mul_f32(0.9), "it expired while it was used");
            (begun, last_use) = (Instant::now(), Instant::now());
            say(&sessions, &key, "one").await;
        }
        begun.elapsed() > 2 * ttl
    })
    .await;

    // Listing does not.
    eventually("the session expires", async || sessions.list("default", None, 10).await.unwrap().sessions.is_empty())
        .await;
    assert!(last_use.elapsed() >= ttl.mul_f32(0.9), "it expired too early");
    assert!(sessions.read(&key).await.unwrap().is_none());
    let loaded = sessions.load(&key).await;
    assert_eq!((loaded.messages.len(), loaded.length, loaded.history), (0, 0, History::Known));
    assert_eq!(say(&sessions, &key, "two").await.conversation_length, 2);
}

async fn a_session_without_ttl_never_expires(place: Place) {
    let sessions = place.open_with(|options| options.ttl = None).await;
    say(&sessions, &key("eternal"), "one").await;
    assert_eq!(read(&sessions, &key("eternal")).await.ttl_seconds, None);
    assert_eq!(sessions.list("default", None, 1).await.unwrap().sessions[0].ttl_seconds, None);
}

async fn similar_ids_are_different_sessions(place: Place) {
    let sessions = place.open().await;
    let ids = ["a", "A", "a b", "a%20b", "a:b", "a}b", "{a}", "a}:messages", "ü", "%C3%BC", "日本", "🦀", "a/b", "."];
    for id in ids {
        say(&sessions, &key(id), id).await;
    }
    for id in ids {
        let session = read(&sessions, &key(id)).await;
        assert_eq!((session.session_id.as_str(), contents(&session.messages)[0], session.length), (id, id, 2));
    }
    let listed = sessions.list("default", None, 100).await.unwrap().sessions;
    let listed: BTreeSet<&str> = listed.iter().map(|session| session.session_id.as_str()).collect();
    assert_eq!(listed, BTreeSet::from(ids));
}

async fn tenants_are_apart(place: Place) {
    let sessions = place.open().await;
    let [mine, theirs] = ["mine", "theirs"].map(|tenant| SessionKey::in_tenant(tenant, "same id").unwrap());
    say(&sessions, &mine, "secret").await;
    assert!(sessions.read(&theirs).await.unwrap().is_none());
    assert!(sessions.list("theirs", None, 10).await.unwrap().sessions.is_empty());
    assert_eq!(sessions.list("mine", None, 10).await.unwrap().sessions.len(), 1);
}

async fn the_listing_is_newest_first_and_paged(place: Place) {
    let sessions = place.open().await;
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    // Two of them at the same time.
    for (id, second) in [("c", 3), ("a", 1), ("e", 4), ("d", 3), ("b", 2)] {
        let key = key(id);
        let seen = sessions.load(&key).await.seen;
        let turn = Turn::new(at(second), "q".into(), at(second), "a".into(), Vec::new());
        sessions.append(&key, seen, turn).await;
    }
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = sessions.list("default", cursor.as_deref(), 2).await.unwrap();
        assert!(page.sessions.len() <= 2);
        found.extend(page.sessions.into_iter().map(|session| (session.session_id, session.conversation_length)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, ["e", "d", "c", "b", "a"].map(|id| (id.to_owned(), 2)));
    assert!(matches!(sessions.list("default", Some("not one"), 2).await, Err(Error::InvalidCursor)));

    // A turn moves a session to the front.
    let key = key("a");
    let seen = sessions.load(&key).await.seen;
    sessions.append(&key, seen, Turn::new(at(9), "q".into(), at(9), "a".into(), Vec::new())).await;
    let first = sessions.list("default", None, 1).await.unwrap().sessions.remove(0);
    assert_eq!((first.session_id.as_str(), first.conversation_length, first.last_activity), ("a", 4, at(9)));
    assert_eq!(first.created_at, at(1));
}

async fn the_listing_knows_no_dead(place: Place) {
    let sessions = place.open().await;
    for id in ["a", "b", "c"] {
        say(&sessions, &key(id), "hello").await;
    }
    assert!(sessions.delete(&key("b")).await.unwrap());
    let page = sessions.list("default", None, 2).await.unwrap();
    let ids: Vec<_> = page.sessions.iter().map(|session| session.session_id.as_str()).collect();
    assert_eq!((ids, page.next_cursor), (vec!["c", "a"], None));
}

async fn metadata_is_merged(place: Place) {
    let sessions = place.open().await;
    let key = key("titled");
    say(&sessions, &key, "hello").await;
    let before = read(&sessions, &key).await;
    assert!(before.metadata.is_empty());

    sessions.patch_metadata(&key, json!({"title": "Greetings", "list": [], "deep": {"a": 1, "b": 2}})).await.unwrap();
    let patched = sessions.patch_metadata(&key, json!({"title": null, "deep": {"a": null, "c": 3}})).await.unwrap();
    let expected = json!({"list": [], "deep": {"b": 2, "c": 3}});
    assert_eq!(json!(patched.expect("it is there").metadata), expected);
    let after = read(&sessions, &key).await;
    assert_eq!(json!(after.metadata), expected);
    assert_eq!(contents(&after.messages), ["hello", "hello!"]);
    assert_eq!(after.created_at, before.created_at);
    assert!(after.last_activity >= before.last_activity);
    let listed = sessions.list("default", None, 1).await.unwrap().sessions.remove(0);
    assert_eq!((json!(listed.metadata), listed.last_activity), (expected, after.last_activity));
}

async fn bad_metadata_changes_nothing(place: Place) {
    let sessions = place.open().await;
    let key = key("titled");
    say(&sessions, &key, "hello").await;
    for bad in [json!(["a"]), json!("a"), json!({"note": "x".repeat(20_000)})] {
        let error = sessions.patch_metadata(&key, bad).await.unwrap_err();
        assert!(matches!(error, Error::InvalidMetadata(_)), "{error:?}");
    }
    assert!(read(&sessions, &key).await.metadata.is_empty());
    assert_eq!(say(&sessions, &key, "still there").await.persisted, place.is_durable());
}

async fn a_deleted_session_is_gone(place: Place) {
    let sessions = place.open().await;
    let key = key("short-lived");
    say(&sessions, &key, "one").await;
    assert!(sessions.delete(&key).await.unwrap());
    assert!(!sessions.delete(&key).await.unwrap());
    assert!(sessions.read(&key).await.unwrap().is_none());
    assert_eq!(sessions.load(&key).await.length, 0);

    // The same id begins anew, more than once.
    for name in ["two", "three"] {
        assert_eq!(say(&sessions, &key, name).await.conversation_length, 2);
        assert_eq!(contents(&read(&sessions, &key).await.messages), [name, &format!("{name}!")]);
        assert!(sessions.delete(&key).await.unwrap());
    }
}

async fn a_turn_in_flight_does_not_bring_back_a_deleted_session(place: Place) {
    let sessions = place.open().await;
    let key = key("deleted");
    say(&sessions, &key, "one").await;

    let loaded = sessions.load(&key).await;
    sessions.delete(&key).await.unwrap();
    let saved = sessions.append(&key, loaded.seen, turn("two")).await;
    assert_eq!((saved.persisted, saved.backend, saved.conversation_length), (false, Backend::Memory, 0));
    assert!(sessions.read(&key).await.unwrap().is_none());
    assert_eq!(sessions.pending_turns(), 0);

    // Not even when the session was begun anew since.
    say(&sessions, &key, "three").await;
    assert!(!sessions.append(&key, loaded.seen, turn("four")).await.persisted);
    assert_eq!(contents(&read(&sessions, &key).await.messages), ["three", "three!"]);
}

async fn what_is_not_there_cannot_be_read_or_changed(place: Place) {
    let sessions = place.open().await;
    let nobody = key("nobody");
    assert!(sessions.read(&nobody).await.unwrap().is_none());
    assert!(sessions.patch_metadata(&nobody, json!({"a": 1})).await.unwrap().is_none());
    assert!(!sessions.delete(&nobody).await.unwrap());
    let page = sessions.list("default", None, 10).await.unwrap();
    assert!(page.sessions.is_empty() && page.next_cursor.is_none());
}
