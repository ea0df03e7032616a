//! A remote model: what it is sent, and what clients see when it fails.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::model_server::{ModelServer, Reply};
use crate::test_app::TestApp;

async fn app_with(model: &ModelServer) -> TestApp {
    TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
        .option("--openai-base-url", model.base_url())
        .option("--openai-api-key", "sk-secret")
        .option("--chat-model", "scripted")
        .option("--model-timeout", 3)
        .start()
        .await
}

#[tokio::test]
async fn the_model_gets_sources_conversation_and_question() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    app.ask("someone", "What is machine learning?").await;
    let answer = app.ask("someone", "Who uses it?").await;
    assert_eq!(answer["answered_by"], "scripted");
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 0);

    let request = model.last_request();
    assert_eq!(request.authorization.as_deref(), Some("Bearer sk-secret"));
    assert_eq!(request.body["model"], "scripted");
    let prompt = request.message("user");
    assert!(prompt.contains("Machine learning is programs that learn from data."), "{prompt}");
    assert!(prompt.contains("Previous conversation:\nYou: What is machine learning?\nBot: Hello."), "{prompt}");
    assert!(prompt.contains("Who uses it?"), "{prompt}");
}

#[tokio::test]
async fn each_failure_of_the_model_has_its_status_and_saves_nothing() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    type Case = (fn() -> Reply, StatusCode, &'static str);
    let cases: [Case; 10] = [
        (|| Reply::refuse(401), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(404), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(500), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(429), StatusCode::TOO_MANY_REQUESTS, "model_rate_limited"),
        (|| Reply::Raw(b"data: {\"this is\": no completion\n\n".to_vec()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::Raw(b"<html>It works!</html>".to_vec()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::CutAfter("Half an".to_owned()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::events([said("You must", "abort")]), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::events([said("", "content_filter")]), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::Stall, StatusCode::GATEWAY_TIMEOUT, "model_timeout"),
    ];
    for (reply, status, code) in cases {
        model.always(reply);
        let answer = app.post("/chat", json!({"user_id": "someone", "message": "What is machine learning?"})).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{}", answer.body);
        let text = answer.body.to_string();
        assert!(!text.contains("sk-secret") && !text.contains("127.0.0.1"), "no cause reaches the client: {text}");
    }
    assert_eq!(app.get("/sessions/someone").await.status, StatusCode::NOT_FOUND);
    model.always(|| Reply::answer("Back again [1]."));
    assert_eq!(app.ask("someone", "What is machine learning?").await["conversation_length"], 2);
}

#[tokio::test]
async fn a_failed_turn_leaves_its_conversation_as_it_was() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    app.ask("someone", "What is machine learning?").await;
    let before = app.get("/sessions/someone").await.body["messages"].clone();
    model.then(Reply::CutAfter("Half an".to_owned())).then(Reply::refuse(401));
    for _ in 0..2 {
        let body = json!({"user_id": "someone", "message": "Who uses it?"});
        assert_eq!(app.post("/chat", body).await.status, StatusCode::BAD_GATEWAY);
        assert_eq!(app.get("/sessions/someone").await.body["messages"], before);
    }
    assert_eq!(app.ask("someone", "Who uses it?").await["conversation_length"], 4);
}

#[tokio::test]
async fn a_rate_limit_passes_on_how_long_to_wait() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    let pauses = [(Some("1800"), "1800"), (Some("7.2"), "8"), (None, "5")];
    for (asked, told) in pauses {
        model.always(move || Reply::Refuse { status: 429, code: "slow_down", retry_after: asked });
        let answer = app.post("/chat", json!({"message": "What is machine learning?"})).await;
        assert_eq!(answer.body["code"], "model_rate_limited");
        assert_eq!(answer.headers["retry-after"], told, "the model asks for {asked:?}");
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_for_the_model_is_said_to_be_so() {
    let model = ModelServer::start();
    model.then(Reply::Refuse { status: 400, code: "context_length_exceeded", retry_after: None });
    let app = app_with(&model).await;
    let answer = app.post("/chat", json!({"message": "What is machine learning?"})).await;
    assert_eq!((answer.status, &answer.body["code"]), (StatusCode::BAD_GATEWAY, &json!("model_error")));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("`\"use_history\": false`") && detail.contains("`top_k`"), "{detail}");
}

#[tokio::test]
async fn an_answer_that_is_cut_says_why_it_ends() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    for reason in ["length", "content_filter"] {
        model.then(Reply::events([said("Programs that", reason)]));
        let answer = app.ask("someone", "What is machine learning?").await;
        assert_eq!((&answer["response"], &answer["finish_reason"]), (&json!("Programs that"), &json!(reason)));
    }
    model.then(Reply::events([said("Programs that", "length")]));
    let events = app.ask_streaming("someone", "What is machine learning?").await;
    assert_eq!(events.last().unwrap().1["finish_reason"], "length");
    assert_eq!(app.ask("someone", "What is machine learning?").await["finish_reason"], "stop");
}

#[tokio::test]
async fn a_moment_of_trouble_is_bridged() {
    let model = ModelServer::start();
    model.then(Reply::refuse(503)).then(Reply::Refuse { status: 429, code: "slow_down", retry_after: Some("0") });
    model.then(Reply::answer("Here [1]."));
    let app = app_with(&model).await;
    assert_eq!(app.ask("someone", "What is machine learning?").await["response"], "Here [1].");
    assert_eq!(model.requests().len(), 3);
}

#[tokio::test]
async fn a_marker_without_a_source_is_no_citation() {
    let model = ModelServer::start();
    model.then(Reply::answer("Machine learning is programs that learn from data [1]. It is old [9]."));
    let app = app_with(&model).await;
    let answer = app.ask("someone", "What is machine learning?").await;
    let cited: Vec<&Value> = answer["citations"].as_array().unwrap().iter().map(|citation| &citation["n"]).collect();
    assert_eq!(cited, [&json!(1)]);
    assert_eq!(answer["citations"][0]["verified"], true);
}

#[tokio::test]
async fn a_key_alone_sends_nothing_anywhere() {
    let app = TestApp::builder().option("--openai-api-key", "sk-secret").start().await;
    let answer = app.ask("someone", "hello there").await;
    assert_eq!((&answer["answered_by"], &answer["finish_reason"]), (&json!("extractive"), &json!("stop")));
}

#[tokio::test]
async fn prompts_of_ones_own_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let (prompt, system) = (folder.path().join("prompt.txt"), folder.path().join("system.txt"));
    std::fs::write(&prompt, "OURS\n{{sources}}\n{{history}}\n{{question}}").unwrap();
    std::fs::write(&system, "Answer in rhymes.\n").unwrap();
    let model = ModelServer::start();
    let app = TestApp::builder()
        .option("--openai-base-url", model.base_url())
        .option("--prompt", prompt.display())
        .option("--system-prompt", system.display())
        .start()
        .await;
    app.ask("someone", "What is {{history}}?").await;
    let request = model.last_request();
    let prompt = request.message("user");
    assert!(prompt.starts_with("OURS") && prompt.contains("What is {{history}}?"), "{prompt}");
    assert_eq!(request.message("system"), "Answer in rhymes.");
}

/// One chunk with a piece of an answer and a reason to finish.
fn said(text: &str, finish_reason: &str) -> Value {
    json!({"choices": [{"delta": {"content": text}, "finish_reason": finish_reason}]})
}
