//! What goes wrong with the memory of well-known chat servers, and cannot here: each test is named after a complaint.
//!
//! A silent fall-back to RAM that looks persisted is the business of
//! `redis_sessions::an_outage_is_answered_and_flagged_and_nothing_is_lost` and of
//! `conversation::in_memory_sessions_are_never_called_persisted`; the fault suite, `tests/faults`, is the long version of
//! all of this.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::model_server::{ModelServer, Reply};
use crate::redis_server::RedisServer;
use crate::test_app::{TestApp, TestAppBuilder};

fn app_on(redis: &RedisServer) -> TestAppBuilder {
    TestApp::builder().option("--redis-url", redis.url())
}

/// Nothing here is about outages: a busy machine must not look like one.
async fn two_apps_on(redis: &RedisServer) -> [TestApp; 2] {
    let patient = || app_on(redis).option("--redis-timeout", 10_000);
    [patient().start().await, patient().start().await]
}

fn texts<'a>(session: &'a Value, role: &str) -> Vec<&'a str> {
    let messages = session["messages"].as_array().unwrap().iter();
    messages.filter(|message| message["role"] == role).map(|message| message["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn last_writer_wins() {
    let redis = RedisServer::start();
    let apps = two_apps_on(&redis).await;
    let asking = (0..64).map(|number| {
        let app = &apps[number % 2];
        async move { app.ask("busy", &format!("question {number}")).await }
    });
    let answers = join_all(asking).await;
    let lengths: BTreeSet<u64> = answers.iter().map(|answer| answer["conversation_length"].as_u64().unwrap()).collect();
    assert_eq!(lengths, (1..=64).map(|turn| 2 * turn).collect());

    let [session, seen_elsewhere] =
        [apps[0].get("/sessions/busy").await.body, apps[1].get("/sessions/busy").await.body];
    assert_eq!(session["messages"], seen_elsewhere["messages"]);
    let messages = session["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 128);
    for turn in messages.chunks(2) {
        assert_eq!((&turn[0]["role"], &turn[1]["role"]), (&json!("user"), &json!("assistant")));
        assert_eq!(turn[0]["turn_id"], turn[1]["turn_id"]);
    }
    let questions: BTreeSet<String> = texts(&session, "user").into_iter().map(str::to_owned).collect();
    assert_eq!(questions, (0..64).map(|number| format!("question {number}")).collect());
}

#[tokio::test]
async fn the_oldest_messages_are_sent_to_the_model() {
    let model = ModelServer::start();
    let app = TestApp::builder()
        .option("--openai-base-url", model.base_url())
        .option("--chat-model", "scripted")
        .option("--history-messages", 4)
        .document("tea.md", "# Tea\n\nGreen tea is not fermented.\n")
        .start()
        .await;
    for number in 1..=6 {
        model.then(Reply::answer(&format!("answer {number}")));
        app.ask("someone", &format!("What is tea number {number}?")).await;
    }
    let request = model.last_request();
    let prompt = request.message("user");
    let newest = "Previous conversation:\nYou: What is tea number 4?\nBot: answer 4\n\
                  You: What is tea number 5?\nBot: answer 5";
    assert!(prompt.contains(newest), "{prompt}");
    assert!(!prompt.contains("number 3") && !prompt.contains("answer 1"), "{prompt}");
}

#[tokio::test]
async fn the_beginning_expires_while_the_conversation_goes_on() {
    let redis = RedisServer::start();
    let [app, other] = two_apps_on(&redis).await;
    let keys = ["session:{default:talker}", "session:{default:talker}:messages"];
    app.ask("talker", "the beginning").await;
    for (app, message) in [(&app, "still there?"), (&other, "and now?")] {
        // As if nobody had said anything for most of the hour.
        for key in keys {
            assert_eq!(redis.command(&["EXPIRE", key, "60"]), "1");
        }
        app.ask("talker", message).await;
        for key in keys {
            let seconds_left: u64 = redis.command(&["TTL", key]).parse().unwrap();
            assert!((3_000..=3_600).contains(&seconds_left), "{key}: {seconds_left}");
        }
    }
    let session = app.get("/sessions/talker").await.body;
    assert_eq!(texts(&session, "user"), ["the beginning", "still there?", "and now?"]);
}

#[tokio::test]
async fn histories_of_two_users_are_mixed() {
    let (redis, model) = (RedisServer::start(), ModelServer::start());
    let with_model = || {
        app_on(&redis)
            .option("--redis-timeout", 10_000)
            .option("--openai-base-url", model.base_url())
            .option("--chat-model", "scripted")
            .document("tea.md", "# Tea\n\nGreen tea is not fermented.\n")
    };
    let apps = [with_model().start().await, with_model().start().await];
    // Some that could be taken for each other in a key.
    let users = ["anna", "Anna", "anna:messages", "anna}", "{anna", "anna%7D", "ann a", "än"];
    let talking = users.iter().enumerate().map(|(who, user)| {
        let apps = &apps;
        async move {
            for turn in 0..5 {
                apps[(who + turn) % 2].ask(user, &format!("This is secret{who}x, turn {turn}.")).await;
            }
        }
    });
    join_all(talking).await;

    for request in model.requests() {
        let prompt = request.message("user");
        let whose: Vec<usize> = (0..users.len()).filter(|who| prompt.contains(&format!("secret{who}x"))).collect();
        assert_eq!(whose.len(), 1, "one prompt holds what {whose:?} said: {prompt}");
    }
    for (who, user) in users.iter().enumerate() {
        let path =
            format!("/sessions/{}", percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC));
        let session = apps[0].get(&path).await.body;
        assert_eq!(session["session_id"], *user);
        let expected: Vec<String> = (0..5).map(|turn| format!("This is secret{who}x, turn {turn}.")).collect();
        assert_eq!(texts(&session, "user"), expected);
    }
}

#[tokio::test]
async fn a_read_error_is_taken_for_an_empty_history_and_written_over_the_real_one() {
    let redis = RedisServer::start();
    let knowing = app_on(&redis).option("--redis-timeout", 10_000).start().await;
    let stranger = app_on(&redis).option("--redis-timeout", 3000).start().await;
    for message in ["one", "two"] {
        knowing.ask("someone", message).await;
    }
    redis.pause();
    let answer = stranger.ask("someone", "three").await;
    assert_eq!(answer["history"]["unavailable"], true, "unknown, not empty: {answer}");
    assert_eq!(answer["session_persisted"], false);
    redis.resume();
    stranger
        .wait_until("the turn is saved", async |app| {
            app.get("/sessions/someone").await.body["session_persisted"] == true
        })
        .await;
    for app in [&knowing, &stranger] {
        let session = app.get("/sessions/someone").await.body;
        assert_eq!(texts(&session, "user"), ["one", "two", "three"]);
    }
    // Nor does a session of which a part is missing look like a new one.
    redis.command(&["LTRIM", "session:{default:someone}:messages", "0", "1"]);
    let answer = stranger.ask("newcomer", "hello").await;
    assert_eq!(answer["session_persisted"], true, "the others go on");
    let damaged = knowing.get("/sessions/someone").await;
    assert!(damaged.status.is_server_error(), "{}", damaged.body);
    knowing.ask("someone", "four").await;
    assert_eq!(redis.command(&["LLEN", "session:{default:someone}:messages"]), "2", "it is left as it was found");
}
