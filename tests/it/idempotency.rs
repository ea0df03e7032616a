//! `Idempotency-Key`: a request is answered and saved once, however often it is sent.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::model_server::{ModelServer, Reply};
use crate::redis_server::RedisServer;
use crate::test_app::{Answer, TestApp, TestAppBuilder, answer, events};

async fn ask(app: &TestApp, key: &str, body: &Value) -> Answer {
    answer(app.request("POST", "/chat").header("Idempotency-Key", key).json(body)).await
}

fn question() -> Value {
    json!({"user_id": "someone", "message": "What is machine learning?"})
}

async fn app() -> TestApp {
    let note = "# Learning\n\nMachine learning is programs that learn from data.\n";
    TestApp::builder().document("ml.md", note).start().await
}

/// A server on this Redis, however long that takes to answer.
fn on(redis: &RedisServer) -> TestAppBuilder {
    TestApp::builder().option("--redis-url", redis.url()).option("--redis-timeout", 5000)
}

#[tokio::test]
async fn the_same_request_gets_the_stored_answer() {
    let app = app().await;
    let first = ask(&app, "key 1", &question()).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    assert!(first.headers.get("idempotency-replayed").is_none());
    let again = ask(&app, "key 1", &question()).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let without_timings = |answer: &Answer| {
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("timings_ms");
        body
    };
    assert_eq!(without_timings(&again), without_timings(&first));
    let by_its_other_name = json!({"session_id": "someone", "message": "What is machine learning?"});
    assert_eq!(ask(&app, "key 1", &by_its_other_name).await.headers["idempotency-replayed"], "true");
    assert_eq!(app.get("/sessions/someone").await.body["messages"].as_array().unwrap().len(), 2, "saved once");

    let other_key = ask(&app, "key 2", &question()).await;
    assert_eq!(other_key.body["conversation_length"], 4);
    // What the conversation has become since is no part of the old answer.
    assert_eq!(ask(&app, "key 1", &question()).await.body["conversation_length"], 2);
}

#[tokio::test]
async fn a_replay_streams_sources_one_delta_and_done() {
    let app = app().await;
    let first = ask(&app, "k", &question()).await.body;
    let streaming = json!({"user_id": "someone", "message": "What is machine learning?", "stream": true});
    let response = app.request("POST", "/chat").header("Idempotency-Key", "k").json(&streaming).send().await.unwrap();
    assert_eq!(response.headers()["idempotency-replayed"], "true");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let events = events(&response.text().await.unwrap());
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sources", "delta", "done"]);
    assert_eq!(events[0].1["source_documents"], first["source_documents"]);
    assert_eq!((&events[1].1["text"], &events[2].1["turn_id"]), (&first["response"], &first["turn_id"]));
}

#[tokio::test]
async fn another_body_under_the_same_key_is_a_mistake() {
    let app = app().await;
    ask(&app, "k", &question()).await;
    for other in [
        json!({"user_id": "someone", "message": "What is deep learning?"}),
        json!({"user_id": "someone", "message": "What is machine learning?", "top_k": 2}),
    ] {
        let refused = ask(&app, "k", &other).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
        assert_eq!(refused.body["code"], "idempotency_mismatch");
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let app = TestApp::builder().start().await;
    let cases = [
        ("", question(), "Idempotency-Key"),
        (&*"k".repeat(129), question(), "Idempotency-Key"),
        ("k", json!({"message": "hello"}), "user_id"),
    ];
    for (key, body, field) in cases {
        let refused = ask(&app, key, &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{key:?} {}", refused.body);
        assert_eq!((&refused.body["code"], &refused.body["field"]), (&json!("invalid_request"), &json!(field)));
    }
    assert_eq!(ask(&app, &"k".repeat(128), &question()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn while_it_is_answered_the_same_request_is_told_to_wait_on_any_server() {
    let (redis, model) = (RedisServer::start(), ModelServer::start());
    let server = async || on(&redis).option("--openai-base-url", model.base_url()).start().await;
    let (one, other) = (server().await, server().await);
    let (words, live) = Reply::live();
    model.then(live);
    let (first, ()) = futures::future::join(ask(&one, "k", &question()), async {
        model.received(1).await;
        for app in [&one, &other] {
            let waiting = ask(app, "k", &question()).await;
            assert_eq!(waiting.status, StatusCode::CONFLICT, "{}", waiting.body);
            assert_eq!(waiting.body["code"], "idempotency_in_flight");
            assert_eq!(waiting.headers["retry-after"], "1");
        }
        words.send("Learning from data.".to_owned()).unwrap();
        drop(words);
    })
    .await;
    assert_eq!(first.body["response"], "Learning from data.");
    let again = ask(&other, "k", &question()).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.body["turn_id"], first.body["turn_id"]);
    assert_eq!(model.requests().len(), 1, "the model was asked once");
}

#[tokio::test]
async fn in_an_outage_the_server_knows_what_it_answered_before() {
    let mut redis = RedisServer::start();
    let app = on(&redis).start().await;
    let first = ask(&app, "k", &question()).await.body;
    redis.kill();
    let again = ask(&app, "k", &question()).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.body["turn_id"], first["turn_id"]);
    let other = ask(&app, "k", &json!({"user_id": "someone", "message": "Another question?"})).await;
    assert_eq!(other.body["code"], "idempotency_mismatch", "{}", other.body);
}

#[tokio::test]
async fn a_turn_that_a_stop_cuts_off_holds_no_key() {
    let (redis, model) = (RedisServer::start(), ModelServer::start());
    let server = || on(&redis).option("--openai-base-url", model.base_url()).option("--shutdown-timeout", 1).start();
    let mut stopped = server().await;
    model.then(Reply::Stall);
    let request = stopped.request("POST", "/chat").header("Idempotency-Key", "k").json(&question());
    let asking = tokio::spawn(request.send());
    model.received(1).await;
    stopped.shut_down().await;
    assert_eq!(asking.await.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);

    model.always(|| Reply::answer("Learning from data."));
    assert_eq!(ask(&server().await, "k", &question()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_turn_that_can_never_be_saved_holds_no_key() {
    let redis = RedisServer::start();
    let app = on(&redis).start().await;
    assert_eq!(ask(&app, "one", &question()).await.body["session_persisted"], true);
    // The session is damaged.
    redis.command(&["DEL", "session:{default:someone}:messages"]);
    for _ in 0..2 {
        let answer = ask(&app, "two", &question()).await;
        assert_eq!((answer.status, &answer.body["session_persisted"]), (StatusCode::OK, &json!(false)));
    }
}

#[tokio::test]
async fn a_turn_that_failed_may_be_tried_again_at_once() {
    let model = ModelServer::start();
    let app = TestApp::builder().option("--openai-base-url", model.base_url()).start().await;
    model.then(Reply::refuse(401));
    assert_eq!(ask(&app, "k", &question()).await.status, StatusCode::BAD_GATEWAY);
    let retried = ask(&app, "k", &question()).await;
    assert_eq!(retried.status, StatusCode::OK, "{}", retried.body);
    assert!(retried.headers.get("idempotency-replayed").is_none());
}
