//! Who may come in.

use reqwest::StatusCode;
use serde_json::json;

use crate::test_app::{TestApp, answer, serve_options};

#[tokio::test]
async fn with_a_key_everything_but_liveness_needs_it() {
    let app = TestApp::builder().api_key("right").start().await;
    let client = reqwest::Client::new();
    let routes = [
        ("POST", "/chat"),
        ("POST", "/search"),
        ("GET", "/sessions"),
        ("GET", "/sessions/x"),
        ("GET", "/documents"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
    ];
    for (method, path) in routes {
        let request = || client.request(method.parse().unwrap(), format!("{}{path}", app.url));
        for refused in [request(), request().bearer_auth("wrong"), request().basic_auth("right", Some("right"))] {
            let answer = answer(refused).await;
            assert_eq!(
                (answer.status, &answer.body["code"]),
                (StatusCode::UNAUTHORIZED, &json!("unauthorized")),
                "{path}"
            );
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(client.get(format!("{}/healthz", app.url)).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(app.get("/sessions").await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_of_several_keys_opens() {
    let app = TestApp::builder().option("--api-key", "first").api_key("second").start().await;
    assert_eq!(app.get("/sessions").await.status, StatusCode::OK);
    let other = reqwest::Client::new().get(format!("{}/sessions", app.url)).bearer_auth("first");
    assert_eq!(answer(other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_another_site_is_refused() {
    let app = TestApp::builder().option("--allowed-host", "chat.example.org").start().await;
    let with = |name: &'static str, value: &'static str| app.request("GET", "/documents").header(name, value);
    for foreign in [
        with("host", "evil.example"),
        with("origin", "http://evil.example"),
        with("origin", "null"),
        with("origin", "http://localhost:1"),
    ] {
        let answer = answer(foreign).await;
        assert_eq!((answer.status, &answer.body["code"]), (StatusCode::FORBIDDEN, &json!("foreign_origin")));
    }
    for own in [with("host", "localhost:8080"), with("host", "chat.example.org")] {
        assert_eq!(answer(own).await.status, StatusCode::OK);
    }
    let same_page = app.request("GET", "/documents").header("origin", app.url.clone());
    assert_eq!(answer(same_page).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_key_sessions_are_listed_to_this_machine_only() {
    let app = TestApp::builder().start().await;
    assert_eq!(app.get("/sessions").await.status, StatusCode::OK);
    let forwarded = app.request("GET", "/sessions").header("x-forwarded-for", "203.0.113.9");
    let answer = answer(forwarded).await;
    assert_eq!((answer.status, &answer.body["code"]), (StatusCode::FORBIDDEN, &json!("loopback_only")));
}

#[tokio::test]
async fn listening_openly_without_a_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().display().to_string();
    let options = |extra: &[&str]| {
        let arguments = ["--listen", "0.0.0.0:0", "--data-dir", &data_dir].into_iter().chain(extra.iter().copied());
        serve_options(&arguments.map(ToOwned::to_owned).collect::<Vec<_>>())
    };
    let refusal = footnote::app::Application::build(&options(&[])).await.err().expect("it refuses").to_string();
    assert!(refusal.contains("--api-key") && refusal.contains("--allow-anonymous"), "{refusal}");
    footnote::app::Application::build(&options(&["--api-key", "k"])).await.unwrap();
}
