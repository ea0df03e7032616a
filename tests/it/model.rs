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
    let cases: [Case; 8] = [
        (|| Reply::refuse(401), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(404), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(500), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(429), StatusCode::TOO_MANY_REQUESTS, "model_rate_limited"),
        (|| Reply::Raw(b"data: {\"this is\": no completion\n\n".to_vec()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::Raw(b"<html>It works!</html>".to_vec()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::CutAfter("Half an".to_owned()), StatusCode::BAD_GATEWAY, "model_error"),
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
    assert_eq!(app.ask("someone", "hello there").await["answered_by"], "extractive");
}

#[tokio::test]
async fn a_prompt_of_ones_own_is_used_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompt.txt");
    std::fs::write(&file, "OURS\n{{sources}}\n{{history}}\n{{question}}").unwrap();
    let model = ModelServer::start();
    let app = TestApp::builder()
        .option("--openai-base-url", model.base_url())
        .option("--prompt", file.display())
        .start()
        .await;
    app.ask("someone", "What is {{history}}?").await;
    let prompt = model.last_request().message("user").to_owned();
    assert!(prompt.starts_with("OURS") && prompt.contains("What is {{history}}?"), "{prompt}");
}

#[tokio::test]
async fn a_marker_of_no_source_reaches_nobody_even_when_it_comes_in_pieces() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    for _ in 0..2 {
        let (words, reply) = Reply::live();
        model.then(reply);
        for word in ["Machine learning is programs that learn from data [", "1", "] [", "7", "]. Nobody knows why", "."]
        {
            words.send(word.to_owned()).unwrap();
        }
    }
    let expected = "Machine learning is programs that learn from data [1]. Nobody knows why.";
    let answer = app.ask("someone", "What is machine learning?").await;
    assert_eq!(answer["response"], expected);
    assert_eq!(answer["removed_markers"], 1);
    assert_eq!(answer["citations"].as_array().unwrap().len(), 1);
    assert_eq!(answer["citations"][0]["verified"], true);
    let uncited = &answer["uncited"];
    assert_eq!(*uncited, json!([[expected.find("Nobody").unwrap(), expected.len()]]));

    let heard = app.ask_streaming("someone", "What is machine learning?").await;
    let deltas = heard.iter().filter(|(event, _)| event == "delta");
    let text: String = deltas.map(|(_, data)| data["text"].as_str().unwrap()).collect();
    assert_eq!(text, expected, "what is streamed is what is saved");
}

#[tokio::test]
async fn an_explained_answer_shows_the_prompt_and_the_search() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    let body = json!({"user_id": "someone", "message": "What is machine learning?", "explain": true});
    let explain = &app.post("/chat", body).await.body["explain"];
    assert_eq!(explain["prompt"]["user"], model.last_request().message("user"));
    assert_eq!(explain["searched_for"], "What is machine learning?");
    assert_eq!((&explain["depends"], &explain["messages_in_context"]), (&json!(false), &json!(0)));
    assert_eq!(explain["candidates"][0]["fused"]["rank"], 1);

    let body = json!({"user_id": "someone", "message": "How does it work?", "explain": true});
    let explain = &app.post("/chat", body).await.body["explain"];
    assert_eq!(explain["reasons"][0], "a pronoun stands for something said before");
    assert_eq!(explain["messages_in_context"], 2);
    let plain = app.ask("someone", "What is machine learning?").await;
    assert!(plain.get("explain").is_none(), "only for whoever asks");
}
