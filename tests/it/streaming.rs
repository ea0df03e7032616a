//! `POST /chat` as server-sent events.

use std::time::Duration;

use footnote::http::Patience;
use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::model_server::{ModelServer, Reply};
use crate::test_app::{TestApp, events};

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

async fn app_with(model: &ModelServer) -> TestApp {
    TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
        .option("--openai-base-url", model.base_url())
        .option("--chat-model", "scripted")
        .start()
        .await
}

#[tokio::test]
async fn sources_then_deltas_then_done() {
    let model = ModelServer::start();
    model.then(Reply::answer("Programs that learn [1]. And more."));
    let app = app_with(&model).await;
    let events = app.ask_streaming("someone", "What is machine learning?").await;

    assert_eq!(names(&events)[0], "sources");
    assert_eq!(*names(&events).last().unwrap(), "done");
    let deltas: Vec<&str> = events[1..events.len() - 1]
        .iter()
        .map(|(name, data)| {
            assert_eq!(name, "delta");
            data["text"].as_str().unwrap()
        })
        .collect();
    assert!(deltas.len() > 1, "the answer comes in pieces: {deltas:?}");
    let done = &events.last().unwrap().1;
    assert_eq!(deltas.concat(), done["response"].as_str().unwrap());
    assert_eq!(done["response"], "Programs that learn [1]. And more.");
    assert_eq!(done["session_persisted"], true);
    assert_eq!(done["answered_by"], "scripted");
    assert_eq!(done["source_documents"][0]["cited"], true);
    assert_eq!(events[0].1["source_documents"][0]["id"], done["source_documents"][0]["id"]);
    assert_eq!(events[0].1["user_id"], "someone");
}

#[tokio::test]
async fn deltas_arrive_while_the_model_still_speaks() {
    let model = ModelServer::start();
    let (words, live) = Reply::live();
    model.then(live);
    let app = app_with(&model).await;
    let body = json!({"user_id": "someone", "message": "What is machine learning?", "stream": true});
    let response = app.request("POST", "/chat").json(&body).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut stream = response.bytes_stream();
    let mut heard = String::new();
    words.send("First".to_owned()).unwrap();
    while !heard.contains("First") {
        heard.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(!heard.contains("event: done"));
    words.send(" second [1].".to_owned()).unwrap();
    drop(words);
    while let Some(bytes) = stream.next().await {
        heard.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
    }
    assert_eq!(events(&heard).last().unwrap().1["response"], "First second [1].");
}

#[tokio::test]
async fn the_accept_header_asks_for_a_stream_when_the_field_does_not_say() {
    let app = TestApp::builder().start().await;
    let ask = async |accept: &str, body: Value| {
        let request = app.request("POST", "/chat").header("accept", accept).json(&body);
        request.send().await.unwrap().headers()["content-type"].to_str().unwrap().to_owned()
    };
    let question = json!({"message": "hello"});
    for accept in ["text/event-stream", "application/json;q=0.5, Text/Event-Stream;q=0.9"] {
        assert_eq!(ask(accept, question.clone()).await, "text/event-stream", "{accept}");
    }
    assert_eq!(ask("text/event-stream;q=0, */*", question).await, "application/json");
    assert_eq!(ask("text/event-stream", json!({"message": "hello", "stream": false})).await, "application/json");
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_lose_the_turn() {
    let model = ModelServer::start();
    let (words, live) = Reply::live();
    model.then(live);
    let app = app_with(&model).await;
    let body = json!({"user_id": "leaver", "message": "What is machine learning?", "stream": true});
    let response = app.request("POST", "/chat").json(&body).send().await.unwrap();
    words.send("It goes".to_owned()).unwrap();
    let mut stream = response.bytes_stream();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("It goes") {
        heard.extend(stream.next().await.unwrap().unwrap());
    }
    drop(stream);
    words.send(" on [1].".to_owned()).unwrap();
    drop(words);
    app.wait_until("the turn is saved", async |app| app.get("/sessions/leaver").await.status == StatusCode::OK).await;
    let session = app.get("/sessions/leaver").await.body;
    assert_eq!(session["messages"][1]["content"], "It goes on [1].");
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_with_an_error_and_is_not_saved() {
    let model = ModelServer::start();
    model.then(Reply::CutAfter("Half an".to_owned()));
    let app = app_with(&model).await;
    let events = app.ask_streaming("someone", "What is machine learning?").await;
    let (name, problem) = events.last().unwrap();
    assert_eq!((name.as_str(), &problem["code"], &problem["status"]), ("error", &json!("model_error"), &json!(502)));
    assert!(problem["request_id"].is_string());
    assert_eq!(app.get("/sessions/someone").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_say_says_that_it_is_there() {
    let model = ModelServer::start();
    let (words, live) = Reply::live();
    model.then(live);
    let patience = Patience { silence: Duration::from_millis(20), ..Patience::default() };
    let app = TestApp::builder().option("--openai-base-url", model.base_url()).patience(patience).start().await;
    let body = json!({"message": "What is machine learning?", "stream": true});
    let mut stream = app.request("POST", "/chat").json(&body).send().await.unwrap().bytes_stream();
    let mut heard = String::new();
    while heard.matches("\n: ping\n\n").count() < 2 {
        heard.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    words.send("At last.".to_owned()).unwrap();
    drop(words);
    while let Some(bytes) = stream.next().await {
        heard.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
    }
    assert!(heard.contains("At last.") && heard.contains("event: done"), "{heard}");
}
