//! What operators see: liveness, readiness, metrics, and an orderly end.

use reqwest::StatusCode;
use serde_json::json;

use crate::embedding_server::EmbeddingServer;
use crate::model_server::{ModelServer, Reply};
use crate::test_app::{TestApp, events};

#[tokio::test]
async fn a_healthy_server_says_so() {
    let app = TestApp::builder().start().await;
    assert_eq!(app.get("/healthz").await.body, json!({"status": "ok"}));
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(ready.body["status"], "ready");
    assert_eq!(ready.body["documents"], json!({"kind": "embedded", "ok": true}));
    let sessions = &ready.body["sessions"];
    assert_eq!((&sessions["kind"], &sessions["ok"]), (&json!("Embedded"), &json!(true)));
    assert_eq!(sessions["waiting"]["turns"], 0);
    assert_eq!(ready.body["model"], json!({"kind": "extractive", "ok": true}));
    assert!(ready.body["ingesting"].is_null());
}

#[tokio::test]
async fn readiness_tells_what_became_of_the_ingest() {
    let app = TestApp::builder()
        .document("good.md", "# Good\n\nText.\n")
        .document("bad.txt", [0_u8, 1, 2, 0, 255])
        .start()
        .await;
    let ingesting = &app.get("/readyz").await.body["ingesting"];
    assert_eq!(ingesting["running"], false);
    assert_eq!((&ingesting["files_done"], &ingesting["files_failed"]), (&json!(2), &json!(1)), "{ingesting}");
}

#[tokio::test]
async fn of_two_folders_one_may_be_missing() {
    let app =
        TestApp::builder().document("good.md", "# Good\n\nText.\n").option("--ingest", "/not/there").start().await;
    let ingesting = &app.get("/readyz").await.body["ingesting"];
    assert_eq!((&ingesting["files_done"], &ingesting["files_failed"]), (&json!(2), &json!(1)), "{ingesting}");
    assert_eq!(app.get("/documents").await.body["documents"][0]["source"], "library/good.md");
}

#[tokio::test]
async fn questions_are_answered_while_documents_come_in() {
    let embeddings = EmbeddingServer::start();
    let app = TestApp::builder()
        .document("tea.md", "# Tea\n\nTea steeps for four minutes.\n")
        .document("bread.md", "# Bread\n\nBread is HELD in the oven.\n")
        .option("--embedder", "openai")
        .option("--openai-base-url", embeddings.base_url())
        .option("--collection", "remote")
        .while_it_ingests()
        .start()
        .await;
    app.wait_until("one of two documents is in", async |app| {
        app.get("/readyz").await.body["ingesting"]["files_done"] == 1
    })
    .await;
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status, &ready.body["status"]), (StatusCode::OK, &json!("ingesting")), "{}", ready.body);
    let found = app.post("/search", json!({"query": "how long does tea steep"})).await.body;
    assert_eq!(found["results"][0]["source"], "library/tea.md", "{found}");
    embeddings.release();
    app.wait_until_ingested().await;
    assert_eq!(app.get("/readyz").await.body["status"], "ready");
}

#[tokio::test]
async fn a_start_does_not_wait_for_what_does_not_answer() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", silent.local_addr().unwrap());
    let accepting = tokio::spawn(async move { silent.accept().await.unwrap().0 });
    let silently = TestApp::builder().option("--embedder", "openai").option("--openai-base-url", address);
    let app = silently.while_it_ingests().start().await;
    assert_eq!(app.get("/healthz").await.status, StatusCode::OK);
    // Nobody has given up yet: what was asked is there, and not the end of the connection.
    let connection = accepting.await.unwrap();
    connection.readable().await.unwrap();
    let mut asked = vec![0; 1 << 16];
    while let Ok(bytes) = connection.try_read(&mut asked) {
        assert!(bytes > 0, "the connection was given up before the server was there");
    }
}

#[tokio::test]
async fn a_vector_store_that_is_down_is_no_reason_not_to_start() {
    // Port 9 is discard: nothing listens there.
    let app = TestApp::builder().option("--qdrant-url", "http://127.0.0.1:9").start().await;
    assert_eq!(app.get("/healthz").await.status, StatusCode::OK);
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status, &ready.body["documents"]["ok"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(false)));
    for answer in [app.post("/chat", json!({"message": "hello"})).await, app.get("/documents").await] {
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("vector_store_unavailable"))
        );
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn metrics_count_requests_and_carry_no_ids() {
    let app = TestApp::builder().start().await;
    app.ask("a-very-particular-user", "hello there").await;
    app.get("/sessions/a-very-particular-user").await;
    let metrics = app.get("/metrics").await;
    assert!(metrics.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    let text = metrics.body.as_str().unwrap();
    assert!(text.contains(r#"footnote_http_requests_total{method="POST",route="/chat",status="200"}"#), "{text}");
    assert!(text.contains(r#"route="/sessions/{id}""#), "{text}");
    assert!(text.contains("footnote_turn_step_seconds_bucket"), "{text}");
    assert!(!text.contains("a-very-particular-user"));
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_no_series_of_its_own() {
    let app = TestApp::builder().start().await;
    for method in ["BREW", "X1", "X2"] {
        app.request(method, "/healthz").send().await.unwrap();
    }
    let text = app.get("/metrics").await.body.as_str().unwrap().to_owned();
    assert!(text.contains(r#"footnote_http_requests_total{method="other",route="/healthz",status="405"}"#), "{text}");
    assert!(!text.contains("BREW") && !text.contains("X1"), "{text}");
}

#[tokio::test]
async fn stopping_finishes_the_answers_in_flight() {
    let model = ModelServer::start();
    let (words, live) = Reply::live();
    model.then(live);
    let mut app = TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
        .option("--openai-base-url", model.base_url())
        .start()
        .await;
    let request =
        app.request("POST", "/chat").json(&json!({"user_id": "someone", "message": "What is machine learning?"}));
    let asking = tokio::spawn(request.send());
    app.wait_until("the model is asked", async |_| !model.requests().is_empty()).await;
    app.begin_to_stop();
    words.send("To the end [1].".to_owned()).unwrap();
    drop(words);
    let answer: serde_json::Value = asking.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["response"], "To the end [1].");
    assert_eq!(answer["session_persisted"], true);
    app.restart().await;
    assert_eq!(app.get("/sessions/someone").await.body["messages"][1]["content"], "To the end [1].");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_does_not_keep_the_server() {
    let model = ModelServer::start();
    model.then(Reply::Stall);
    let mut app =
        TestApp::builder().option("--openai-base-url", model.base_url()).option("--shutdown-timeout", 1).start().await;
    let request = app.request("POST", "/chat").json(&json!({"user_id": "someone", "message": "hello"}));
    let asking = tokio::spawn(request.send());
    app.wait_until("the model is asked", async |_| !model.requests().is_empty()).await;
    app.shut_down().await;
    let answer = asking.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "server_stopping");
}

#[tokio::test]
async fn a_stream_that_a_stop_cuts_off_ends_with_an_error() {
    let model = ModelServer::start();
    let (words, live) = Reply::live();
    model.then(live);
    let mut app =
        TestApp::builder().option("--openai-base-url", model.base_url()).option("--shutdown-timeout", 1).start().await;
    let body = json!({"user_id": "someone", "message": "hello", "stream": true});
    let response = app.request("POST", "/chat").json(&body).send().await.unwrap();
    words.send("Half an".to_owned()).unwrap();
    let reading = tokio::spawn(response.text());
    app.shut_down().await;
    let events = events(&reading.await.unwrap().unwrap());
    let (name, problem) = events.last().unwrap();
    assert_eq!((name.as_str(), &problem["code"]), ("error", &json!("server_stopping")));
}
