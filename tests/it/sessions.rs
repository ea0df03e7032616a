//! `/sessions`: list, read, describe, delete.

use reqwest::StatusCode;
use serde_json::json;

use crate::test_app::TestApp;

#[tokio::test]
async fn a_session_reads_as_the_contract_says() {
    let app = TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
        .start()
        .await;
    let answer = app.ask("user 1/ä", "What is machine learning?").await;
    let session = app.get("/sessions/user%201%2F%C3%A4").await;
    assert_eq!(session.status, StatusCode::OK, "{}", session.body);
    let session = session.body;
    assert_eq!(session["session_id"], "user 1/ä");
    assert_eq!(session["backend"], "Embedded");
    assert_eq!(session["session_persisted"], true);
    assert_eq!(session["ttl_seconds"], 3600);
    assert_eq!(session["metadata"], json!({}));
    for time in ["created_at", "last_activity"] {
        session[time].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let messages = session["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!((&messages[0]["role"], &messages[0]["content"]), (&json!("user"), &json!("What is machine learning?")));
    assert_eq!((&messages[1]["role"], &messages[1]["content"]), (&json!("assistant"), &answer["response"]));
    assert!(messages[0].get("source_documents").is_none());
    assert_eq!(messages[1]["source_documents"], answer["source_documents"]);
    for message in messages {
        assert_eq!(message["turn_id"], answer["turn_id"]);
    }
}

#[tokio::test]
async fn sessions_are_listed_newest_first_page_by_page() {
    let app = TestApp::builder().start().await;
    for user in ["first", "second", "third"] {
        app.ask(user, "hello there").await;
    }
    app.ask("first", "hello again").await;
    let ids = |body: &serde_json::Value| {
        let sessions = body["sessions"].as_array().unwrap().iter();
        sessions.map(|session| session["session_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let page = app.get("/sessions?limit=2").await.body;
    assert_eq!(ids(&page), ["first", "third"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = app.get(&format!("/sessions?limit=2&cursor={cursor}")).await.body;
    assert_eq!(ids(&page), ["second"]);
    assert!(page["next_cursor"].is_null());
}

#[tokio::test]
async fn metadata_is_merged_and_listed() {
    let app = TestApp::builder().start().await;
    app.ask("someone", "hello there").await;
    let patch = async |id: &str, body: serde_json::Value| {
        crate::test_app::answer(app.request("PATCH", &format!("/sessions/{id}")).json(&body)).await
    };
    let patched = patch("someone", json!({"metadata": {"title": "Greetings", "tags": ["a"]}})).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.body);
    assert_eq!(patched.body["metadata"], json!({"title": "Greetings", "tags": ["a"]}));
    let patched = patch("someone", json!({"metadata": {"tags": null}})).await;
    assert_eq!(patched.body["metadata"], json!({"title": "Greetings"}));
    assert_eq!(app.get("/sessions").await.body["sessions"][0]["metadata"], json!({"title": "Greetings"}));

    let too_large = json!({"metadata": {"note": "x".repeat(20_000)}});
    for bad in [json!({"metadata": ["a"]}), json!({"metadata": "a"}), json!({}), json!({"title": "a"}), too_large] {
        let refused = patch("someone", bad).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    }
    assert_eq!(patch("nobody", json!({"metadata": {}})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/sessions/someone").await.body["metadata"], json!({"title": "Greetings"}));
}

#[tokio::test]
async fn a_deleted_session_is_gone() {
    let app = TestApp::builder().start().await;
    app.ask("someone", "hello there").await;
    let deleted = app.delete("/sessions/someone").await;
    assert_eq!((deleted.status, &deleted.body["deleted"]), (StatusCode::OK, &json!(true)));
    assert_eq!(app.get("/sessions/someone").await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/sessions").await.body["sessions"], json!([]));
    assert_eq!(app.ask("someone", "hello again").await["conversation_length"], 2, "it begins anew");
}

#[tokio::test]
async fn a_session_expires_when_nobody_uses_it() {
    let app = TestApp::builder().option("--session-ttl", 1).start().await;
    app.ask("someone", "hello there").await;
    app.wait_until("the session has expired", async |app| {
        // Listing does not prolong a session's life, reading would.
        app.get("/sessions").await.body["sessions"] == json!([])
    })
    .await;
    assert_eq!(app.get("/sessions/someone").await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.ask("someone", "hello again").await["conversation_length"], 2);
}

#[tokio::test]
async fn turns_at_once_in_one_session_are_kept_whole() {
    let app = TestApp::builder().start().await;
    let asking = (0..32).map(|number| {
        let app = &app;
        async move { app.ask("busy", &format!("question {number}")).await }
    });
    let answers = futures::future::join_all(asking).await;
    let mut lengths: Vec<u64> = answers.iter().map(|answer| answer["conversation_length"].as_u64().unwrap()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (1..=32).map(|turn| turn * 2).collect::<Vec<_>>());

    let session = app.get("/sessions/busy").await.body;
    let messages = session["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 64);
    for turn in messages.chunks(2) {
        assert_eq!((&turn[0]["role"], &turn[1]["role"]), (&json!("user"), &json!("assistant")));
        assert_eq!(turn[0]["turn_id"], turn[1]["turn_id"]);
    }
}
