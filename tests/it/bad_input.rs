//! Whatever a client sends wrong is answered with a problem that names it, and the server goes on as before.

use std::time::Duration;

use footnote::http::Patience;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::test_app::{Answer, DEADLINE, TestApp, answer};

/// A problem as RFC 9457 has it, with this status and code.
#[track_caller]
fn expect_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.body["status"], status.as_u16());
    for member in ["type", "title", "detail", "request_id"] {
        assert!(answer.body[member].as_str().is_some_and(|text| !text.is_empty()), "no {member} in {}", answer.body);
    }
    assert_eq!(answer.headers["x-request-id"], answer.body["request_id"].as_str().unwrap());
}

/// Posts each body to /chat and expects a 422 that names the field.
async fn expect_refused_fields(app: &TestApp, cases: Vec<(Value, &str)>) {
    for (body, field) in cases {
        let answer = app.post("/chat", body).await;
        expect_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        assert_eq!(answer.body["field"], field, "{}", answer.body);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(field) || (field == "body" && detail.contains("JSON object")), "{detail}");
    }
}

async fn still_answers(app: &TestApp) {
    assert_eq!(app.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(app.ask("somebody", "What is a chunk?").await["conversation_length"], 2);
}

async fn small_app() -> TestApp {
    TestApp::builder().document("chunks.md", "# Chunks\n\nA chunk is a passage of a document.\n").start().await
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let app = small_app().await;
    let long_message = "x".repeat(1_000_000);
    expect_refused_fields(
        &app,
        vec![
            (json!({}), "message"),
            (json!({"message": ""}), "message"),
            (json!({"message": " \n\t"}), "message"),
            (json!({"message": long_message}), "message"),
            (json!({"message": 7}), "message"),
            (json!({"message": null}), "message"),
            (json!({"message": "hi", "user_id": "a\u{7}b"}), "user_id"),
            (json!({"message": "hi", "user_id": "x".repeat(300)}), "user_id"),
            (json!({"message": "hi", "user_id": ""}), "user_id"),
            (json!({"message": "hi", "user_id": 12}), "user_id"),
            (json!({"message": "hi", "user_id": "a", "session_id": "b"}), "session_id"),
            (json!({"message": "hi", "session_id": "a\u{0}"}), "session_id"),
            (json!({"message": "hi", "stream": "yes"}), "stream"),
            (json!({"message": "hi", "top_k": 0}), "top_k"),
            (json!({"message": "hi", "top_k": 51}), "top_k"),
            (json!({"message": "hi", "top_k": -1}), "top_k"),
            (json!({"message": "hi", "top_k": 10_000}), "top_k"),
            (json!({"message": "hi", "score_threshold": 1.5}), "score_threshold"),
            (json!({"message": "hi", "score_threshold": "high"}), "score_threshold"),
            (json!({"message": "hi", "mmr": -0.1}), "mmr"),
            (json!({"message": "hi", "filter": {"tag": "x"}}), "filter.tag"),
            (json!({"message": "hi", "filter": {"ingested_after": "yesterday"}}), "filter.ingested_after"),
            (json!({"message": "hi", "filter": {"tags": "x"}}), "filter.tags"),
            (json!({"message": "hi", "filter": {"tags": []}}), "filter.tags"),
            (json!({"message": "hi", "filter": {"document_ids": []}}), "filter.document_ids"),
            (json!({"message": "hi", "top_k": -1}), "top_k"),
            (json!({"message": "hi", "top_k": "4"}), "top_k"),
            (json!({"message": "hi", "filter": [["x"]]}), "filter"),
            (json!({"message": "hi", "mesage": "x"}), "mesage"),
            (json!(["What is a chunk?"]), "body"),
            (json!(["What is a chunk?", "somebody"]), "body"),
            (json!(5), "body"),
            (json!("`message`"), "body"),
            (json!(null), "body"),
        ],
    )
    .await;
    still_answers(&app).await;
}

#[tokio::test]
async fn a_message_of_exactly_32_kib_is_taken() {
    let app = small_app().await;
    let message = format!("What is a chunk? {}", "x".repeat(32 * 1024 - 17));
    assert_eq!(message.len(), 32 * 1024);
    assert_eq!(app.ask("long", &message).await["conversation_length"], 2);
    expect_refused_fields(&app, vec![(json!({"message": format!("{message}x")}), "message")]).await;
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let app = small_app().await;
    let chat = || app.request("POST", "/chat").header("content-type", "application/json");
    for body in ["", "{", "{\"message\": \"hi\"", "{\"message\": \"hi\"} trailing", "message=hi"] {
        expect_problem(&answer(chat().body(body)).await, StatusCode::BAD_REQUEST, "invalid_json");
    }
    let invalid_utf8 = b"{\"message\": \"\xff\xfe\"}".to_vec();
    expect_problem(&answer(chat().body(invalid_utf8)).await, StatusCode::BAD_REQUEST, "invalid_json");

    let untyped = app.request("POST", "/chat").body("{\"message\": \"hi\"}");
    expect_problem(&answer(untyped).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
    let form = app.request("POST", "/chat").header("content-type", "text/plain").body("{\"message\": \"hi\"}");
    expect_problem(&answer(form).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
    still_answers(&app).await;
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused() {
    let app = small_app().await;
    let body = json!({"message": "x".repeat(1024 * 1024)});
    expect_problem(&app.post("/chat", body).await, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
    still_answers(&app).await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let app = small_app().await;
    let address = app.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /chat HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    // The server stops reading some time after the first mebibyte, so that writing fails or an answer is there.
    let (mut reader, mut writer) = connection.into_split();
    let writing = tokio::spawn(async move { while writer.write_all(chunk.as_bytes()).await.is_ok() {} });
    let mut response = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, reader.read_to_end(&mut response)).await.expect("the server ends it");
    let response = String::from_utf8_lossy(&response).into_owned();
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
    drop(reader);
    tokio::time::timeout(DEADLINE, writing).await.expect("the connection is closed").unwrap();
    still_answers(&app).await;
}

/// Sends this much of a request and nothing more, and returns what the server says before it closes the connection.
async fn answer_to_a_part(app: &TestApp, part: &str) -> String {
    let address = app.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(part.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let reading = tokio::time::timeout(DEADLINE, connection.read_to_end(&mut response)).await;
    let _ = reading.expect("the server closes the connection");
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn a_request_that_stops_half_way_is_not_waited_for() {
    let moment = Duration::from_secs(1);
    let patience = Patience { request_head: moment, request_body: moment, ..Patience::default() };
    let app = TestApp::builder().patience(patience).start().await;
    for head in ["", "POST /chat HT", "POST /chat HTTP/1.1\r\nhost: localhost\r\ncontent-"] {
        answer_to_a_part(&app, head).await;
    }
    let head = "POST /chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n";
    let response = answer_to_a_part(&app, &format!("{head}{{\"message\":")).await;
    assert!(response.starts_with("HTTP/1.1 408") && response.contains("request_timeout"), "{response}");
    still_answers(&app).await;
}

/// A form or JSON: both may be large.
#[tokio::test]
async fn an_upload_may_take_longer_than_a_question() {
    let patience = Patience { request_body: Duration::ZERO, ..Patience::default() };
    let app = TestApp::builder().patience(patience).start().await;
    let address = app.url.strip_prefix("http://").unwrap();
    for (path, body, expected) in [
        ("/chat", json!({"message": "Hello?"}), "HTTP/1.1 408"),
        ("/documents", json!({"documents": [{"source": "slow.txt", "text": "Slow."}]}), "HTTP/1.1 202"),
    ] {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        if path == "/documents" {
            tokio::time::sleep(Duration::from_millis(100)).await;
            connection.write_all(body.as_bytes()).await.unwrap();
        }
        let mut response = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, connection.read_to_end(&mut response)).await.unwrap();
        let response = String::from_utf8_lossy(&response);
        assert!(response.starts_with(expected), "{response}");
    }
}

#[tokio::test]
async fn unknown_routes_and_wrong_methods_are_problems_too() {
    let app = small_app().await;
    expect_problem(&app.get("/nowhere").await, StatusCode::NOT_FOUND, "not_found");
    expect_problem(&app.get("/").await, StatusCode::NOT_FOUND, "not_found");
    let wrong = app.get("/chat").await;
    expect_problem(&wrong, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    assert_eq!(wrong.headers["allow"], "POST");
    expect_problem(&app.delete("/healthz").await, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
}

#[tokio::test]
async fn ids_and_parameters_in_urls_are_checked() {
    let app = small_app().await;
    for (path, field) in [
        ("/documents/not-a-uuid", "id"),
        ("/sessions/%07", "id"),
        ("/sessions?limit=0", "limit"),
        ("/sessions?limit=101", "limit"),
        ("/sessions?limit=x", "limit"),
        ("/documents?limt=1", "limt"),
        ("/documents?cursor=nonsense", "cursor"),
        ("/sessions?cursor=nonsense", "cursor"),
    ] {
        let answer = app.get(path).await;
        expect_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        assert_eq!(answer.body["field"], field, "{}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{}", answer.body);
    }
    let missing = "/documents/00000000-0000-4000-8000-000000000000";
    for path in [missing.to_owned(), format!("{missing}/chunks"), "/sessions/nobody".to_owned()] {
        expect_problem(&app.get(&path).await, StatusCode::NOT_FOUND, "not_found");
    }
    expect_problem(&app.delete(missing).await, StatusCode::NOT_FOUND, "not_found");
    expect_problem(&app.delete("/sessions/nobody").await, StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_search_is_checked_like_a_chat() {
    let app = small_app().await;
    for (body, field) in [
        (json!({"query": ""}), "query"),
        (json!({}), "query"),
        (json!({"query": "x", "top_k": 99}), "top_k"),
        (json!({"query": "x", "top_k": 0}), "top_k"),
        (json!({"query": "x", "mode": "psychic"}), "mode"),
        (json!({"query": "x", "score_threshold": 2}), "score_threshold"),
        (json!({"query": "x", "mmr": 1.1}), "mmr"),
        (json!({"query": "x", "mode": "bm25", "mmr": 0.5}), "mode"),
        (json!({"query": "x", "filter": {"author": "x"}}), "filter.author"),
        (json!({"query": "x", "filter": [["x"]]}), "filter"),
    ] {
        let answer = app.post("/search", body).await;
        expect_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        assert_eq!(answer.body["field"], field, "{}", answer.body);
    }
}

#[tokio::test]
async fn odd_questions_are_answered_or_refused_honestly() {
    let app = small_app().await;
    let long = format!("What is a chunk? {}", "And what is more to be said of it? ".repeat(850));
    assert!((29_000..32_768).contains(&long.len()));
    let related = [long.as_str(), "chunk", "<b>What</b> is a <script>alert(1)</script> chunk?"];
    for (number, question) in related.iter().enumerate() {
        let answer = app.ask(&format!("related-{number}"), question).await;
        assert_eq!(answer["source_documents"].as_array().unwrap().len(), 1, "{answer}");
    }
    let unrelated = [
        "the",
        "and of it",
        "🦀🦀🦀",
        "???",
        "'; DROP TABLE documents; --",
        "SELECT * FROM users WHERE '1'='1'",
        "Wie hoch ist der höchste Berg der Schweiz, und wer hat ihn zuerst bestiegen?",
        "\u{202e}evil\u{0} \u{fffe}",
    ];
    for (number, question) in unrelated.iter().enumerate() {
        let answer = app.ask(&format!("unrelated-{number}"), question).await;
        assert_eq!(answer["abstained"], true, "{question:?}: {answer}");
        assert_eq!(answer["citations"], json!([]), "nothing is dressed up as support: {answer}");
        let cited = |source: &Value| source["cited"] == true;
        assert!(!answer["source_documents"].as_array().unwrap().iter().any(cited), "{answer}");
        assert_eq!(answer["session_persisted"], true);
    }
    for query in related.iter().chain(&unrelated) {
        assert_eq!(app.post("/search", json!({"query": query})).await.status, StatusCode::OK, "{query:?}");
    }
}

#[tokio::test]
async fn without_documents_there_is_no_answer_and_no_error() {
    let app = TestApp::builder().start().await;
    let answer = app.ask("someone", "What is a chunk?").await;
    assert_eq!((&answer["abstained"], &answer["source_documents"]), (&json!(true), &json!([])));
    let body = json!({"query": "chunk", "score_threshold": 0.2, "mmr": 0.5, "explain": true});
    let found = app.post("/search", body).await;
    assert_eq!(
        (found.status, &found.body["results"], &found.body["explain"]),
        (StatusCode::OK, &json!([]), &json!([]))
    );
}
