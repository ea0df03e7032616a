//! Several servers on one Redis, and what is in that Redis.

use footnote::sessions::{Error, History, SessionOptions, Sessions};

use crate::place::{Place, contents, key, read, say, turn};
use crate::redis_server::RedisServer;

async fn two_servers() -> (RedisServer, Sessions, Sessions) {
    let place = Place::redis();
    let (one, other) = (place.open().await, place.open().await);
    let Place::Redis(server) = place else { unreachable!("it was made for Redis") };
    (server, one, other)
}

#[tokio::test]
async fn every_turn_sees_every_earlier_one_whichever_server_took_it() {
    let place = Place::redis();
    let remember_all = |options: &mut SessionOptions| {
        (options.max_messages, options.recent_messages) = (2_000, 2_000);
    };
    let servers = [place.open_with(remember_all).await, place.open_with(remember_all).await];
    let key = key("roaming");
    let mut earlier = Vec::new();
    for number in 0..1_000 {
        let sessions = &servers[number % 2];
        let loaded = sessions.load(&key).await;
        assert_eq!((loaded.length, loaded.history), (2 * number as u64, History::Known));
        assert_eq!(contents(&loaded.messages), earlier);
        let saved = sessions.append(&key, loaded.seen, turn(&number.to_string())).await;
        assert_eq!((saved.persisted, saved.conversation_length), (true, 2 * number as u64 + 2));
        earlier.extend([number.to_string(), format!("{number}!")]);
    }
}

#[tokio::test]
async fn a_session_deleted_elsewhere_is_not_resurrected() {
    let (_server, one, other) = two_servers().await;
    let key = key("deleted");
    say(&one, &key, "one").await;
    say(&other, &key, "two").await;
    let in_flight = one.load(&key).await;
    assert!(other.delete(&key).await.unwrap());

    assert!(!one.append(&key, in_flight.seen, turn("three")).await.persisted);
    assert_eq!(one.load(&key).await.length, 0);
    assert!(one.read(&key).await.unwrap().is_none());
    assert_eq!(say(&one, &key, "four").await.conversation_length, 2);
    assert_eq!(contents(&other.load(&key).await.messages), ["four", "four!"]);
}

#[tokio::test]
async fn a_session_that_vanished_is_not_resurrected() {
    let (server, one, _other) = two_servers().await;
    let key = key("expired");
    say(&one, &key, "one").await;
    server.command(&["FLUSHALL"]);
    assert!(one.read(&key).await.unwrap().is_none());
    assert!(one.list("default", None, 10).await.unwrap().sessions.is_empty());
    let saved = say(&one, &key, "two").await;
    assert_eq!((saved.persisted, saved.conversation_length), (true, 2));
    assert_eq!(contents(&read(&one, &key).await.messages), ["two", "two!"]);
}

#[tokio::test]
async fn a_warm_turn_gets_no_message_that_it_knows() {
    let (server, one, _other) = two_servers().await;
    let key = key("large");
    for _ in 0..20 {
        say(&one, &key, &"x".repeat(10_000)).await;
    }
    let sent = || -> u64 {
        let statistics = server.command(&["INFO", "stats"]);
        let line = statistics.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = sent();
    assert_eq!(one.load(&key).await.length, 40);
    let bytes = sent() - before;
    assert!(bytes < 5_000, "{bytes} bytes for a session of 400,000, of which nothing was new");
}

#[tokio::test]
async fn messages_replaced_behind_the_same_number_are_noticed() {
    // As after a failover to a replica that had not got the last turn.
    let (server, one, other) = two_servers().await;
    let key = key("failover");
    say(&one, &key, "lost").await;
    let messages = "session:{default:failover}:messages";
    for index in ["0", "1"] {
        let message = server.command(&["LINDEX", messages, index]);
        let turn_id = one.load(&key).await.messages[0].turn_id.to_string();
        let other_turn = message.replace(&turn_id, &uuid::Uuid::new_v4().to_string()).replace("lost", "kept");
        server.command(&["LSET", messages, index, &other_turn]);
    }
    assert_eq!(contents(&one.load(&key).await.messages), ["kept", "kept!"]);
    assert_eq!(contents(&other.load(&key).await.messages), ["kept", "kept!"]);
}

#[tokio::test]
async fn scripts_are_loaded_again_when_redis_forgot_them() {
    let (server, one, _other) = two_servers().await;
    let key = key("scripts");
    say(&one, &key, "one").await;
    server.command(&["SCRIPT", "FLUSH"]);
    assert!(say(&one, &key, "two").await.persisted);
    assert_eq!(contents(&read(&one, &key).await.messages), ["one", "one!", "two", "two!"]);
}

#[tokio::test]
async fn a_damaged_session_is_neither_empty_nor_written_over() {
    let (server, one, other) = two_servers().await;
    for (id, lost) in [("no-messages", ":messages"), ("no-record", "")] {
        let key = key(id);
        say(&one, &key, "one").await;
        server.command(&["DEL", &format!("{key}{lost}")]);

        let loaded = other.load(&key).await;
        assert_eq!((loaded.messages.len(), loaded.history), (0, History::Unavailable));
        assert!(matches!(other.read(&key).await, Err(Error::Damaged(_))));
        let saved = other.append(&key, loaded.seen, turn("two")).await;
        assert!(!saved.persisted && saved.lost);
        assert_eq!(other.pending_turns(), 0, "it would wait for ever");
        // The server that knows it goes on with what it knows.
        assert_eq!(contents(&one.load(&key).await.messages), ["one", "one!"]);

        assert!(other.delete(&key).await.unwrap());
        assert!(say(&other, &key, "anew").await.persisted);
    }
}

#[tokio::test]
async fn the_keys_are_those_of_the_design() {
    let (server, one, _other) = two_servers().await;
    let key = key("a b");
    say(&one, &key, "one").await;
    one.list("default", None, 1).await.unwrap();

    let mut keys: Vec<_> = server.command(&["KEYS", "*"]).lines().map(str::to_owned).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["session:{default:a%20b}", "session:{default:a%20b}:messages", "sessions:{default}"]);
    let mut fields: Vec<_> = server.command(&["HKEYS", &keys[0]]).lines().map(str::to_owned).collect();
    fields.sort_unstable();
    let writer = fields.pop().unwrap();
    assert_eq!(fields, ["created_at", "epoch", "last_activity", "metadata", "seq", "trimmed"]);
    assert!(writer.starts_with("w:"), "{writer}");
    let [record, messages]: [u64; 2] =
        [0, 1].map(|index| server.command(&["PEXPIRETIME", &keys[index]]).parse().unwrap());
    // Redis 7.0 looks at its clock for each of them.
    assert!(record.abs_diff(messages) < 1000, "{record} {messages}");

    one.delete(&key).await.unwrap();
    assert_eq!(server.command(&["KEYS", "*"]), "session:{default:a%20b}:gone");
    let life: u64 = server.command(&["TTL", "session:{default:a%20b}:gone"]).parse().unwrap();
    assert!((600_000..=604_800).contains(&life), "{life}");
}

#[tokio::test]
async fn a_changed_ttl_takes_hold_at_the_next_use() {
    let place = Place::redis();
    let (short, eternal) = (place.open().await, place.open_with(|options| options.ttl = None).await);
    let key = key("ttl");
    say(&short, &key, "one").await;
    assert_eq!(read(&eternal, &key).await.ttl_seconds, None);
    assert_eq!(short.list("default", None, 1).await.unwrap().sessions[0].ttl_seconds, None);
    say(&short, &key, "two").await;
    assert!(short.list("default", None, 1).await.unwrap().sessions[0].ttl_seconds.is_some_and(|ttl| ttl <= 3600));
}
