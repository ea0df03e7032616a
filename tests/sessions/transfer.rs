//! Moving sessions from one store to another.

use footnote::sessions::{Error, ExportedSession, Imported, Role};
use serde_json::json;

use crate::place::{Place, contents, key, read, say};

#[tokio::test]
async fn a_session_moves_from_embedded_to_redis_and_back() {
    let embedded = Place::embedded();
    let sessions = embedded.open_with(|options| options.max_messages = 4).await;
    let key = key("user 1/ä");
    for name in ["1", "2", "3"] {
        say(&sessions, &key, name).await;
    }
    sessions.patch_metadata(&key, json!({"title": "Counting"})).await.unwrap();
    let before = read(&sessions, &key).await;
    let line = serde_json::to_string(&sessions.export(&key).await.unwrap().expect("it is there")).unwrap();
    assert!(sessions.export(&crate::place::key("nobody")).await.unwrap().is_none());

    let redis = Place::redis();
    let there = redis.open().await;
    let exported: ExportedSession = serde_json::from_str(&line).unwrap();
    assert_eq!(there.import(exported.clone(), false).await.unwrap(), Imported::Added);
    let moved = read(&there, &key).await;
    assert_eq!(contents(&moved.messages), contents(&before.messages));
    assert_eq!(moved.messages, before.messages);
    assert_eq!((moved.created_at, moved.last_activity), (before.created_at, before.last_activity));
    assert_eq!((moved.length, &moved.metadata), (6, &before.metadata));
    assert_eq!(there.list("default", None, 10).await.unwrap().sessions[0].session_id, "user 1/ä");

    // It lives on there, and what it was elsewhere does not come over it unasked.
    assert_eq!(say(&there, &key, "4").await.conversation_length, 8);
    assert_eq!(there.import(exported.clone(), false).await.unwrap(), Imported::AlreadyThere);
    assert_eq!(read(&there, &key).await.length, 8);

    let back = there.export(&key).await.unwrap().expect("it is there");
    assert_eq!(sessions.import(back, true).await.unwrap(), Imported::Added);
    let returned = read(&sessions, &key).await;
    assert_eq!((contents(&returned.messages), returned.length), (vec!["3", "3!", "4", "4!"], 8));
    assert_eq!(say(&sessions, &key, "5").await.conversation_length, 10);
    assert_eq!(contents(&read(&sessions, &key).await.messages), ["4", "4!", "5", "5!"]);
}

#[tokio::test]
async fn a_long_session_is_imported_whole() {
    let redis = Place::redis();
    let sessions = redis.open().await;
    let key = key("long");
    say(&sessions, &key, "first").await;
    let mut session = sessions.export(&key).await.unwrap().expect("it is there");
    let turn = session.messages.clone();
    session.messages = (0..2000).flat_map(|_| turn.clone()).collect();
    session.session_id = "copy".into();
    let sessions = redis.open_with(|options| options.max_messages = 3000).await;
    sessions.import(session, false).await.unwrap();
    let copy = read(&sessions, &crate::place::key("copy")).await;
    assert_eq!((copy.messages.len(), copy.length), (3000, 4000));
}

#[tokio::test]
async fn what_no_store_could_have_made_is_refused() {
    let sessions = Place::Memory.open().await;
    let key = key("whole");
    say(&sessions, &key, "one").await;
    let whole = sessions.export(&key).await.unwrap().expect("it is there");
    let broken = |change: fn(&mut ExportedSession)| {
        let mut session = ExportedSession { session_id: "broken".into(), ..whole.clone() };
        change(&mut session);
        session
    };
    let refused = [
        broken(|session| session.messages.clear()),
        broken(|session| drop(session.messages.pop())),
        broken(|session| session.messages[1].role = Role::User),
        broken(|session| session.messages[1].turn_id = uuid::Uuid::new_v4()),
        broken(|session| session.session_id = "a\nb".into()),
        broken(|session| drop(session.metadata.insert("note".into(), "x".repeat(20_000).into()))),
    ];
    for session in refused {
        let error = sessions.import(session, false).await.unwrap_err();
        assert!(matches!(error, Error::InvalidSession(_)), "{error:?}");
    }
    assert!(sessions.read(&crate::place::key("broken")).await.unwrap().is_none());
}
