//! Who may come in.

use footnote_ingest::Extractor;
use reqwest::StatusCode;
use serde_json::json;

use crate::server_process::{Server, footnote};
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
async fn a_comma_in_a_key_divides_it_in_the_variable_only() {
    let app = TestApp::builder().option("--api-key", "p,9xK").start().await;
    let with = |key: &str| reqwest::Client::new().get(format!("{}/sessions", app.url)).bearer_auth(key);
    assert_eq!(answer(with("p,9xK")).await.status, StatusCode::OK);
    for part in ["p", "9xK"] {
        assert_eq!(answer(with(part)).await.status, StatusCode::UNAUTHORIZED, "{part}");
    }

    let folder = tempfile::tempdir().unwrap();
    let mut command = footnote(folder.path());
    command.env("FOOTNOTE_API_KEY", "old, new,").env("FOOTNOTE_ALLOWED_HOST", "a.example , b.example:8443");
    let server = Server::run(command.args(["serve", "--listen", "127.0.0.1:0"]));
    for (key, status) in [("old", 200), ("new", 200), ("old, new,", 401), ("", 401)] {
        let answer = server.request("GET", "/sessions").bearer_auth(key).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{key}");
    }
    for (host, status) in [("a.example", 200), ("b.example", 200), ("c.example", 403)] {
        let request = server.request("GET", "/sessions").bearer_auth("new").header("host", host);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{host}");
    }
}

#[tokio::test]
async fn anyone_is_let_in_where_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = footnote(folder.path());
    let server = Server::run(command.args(["serve", "--listen", "0.0.0.0:0", "--allow-anonymous"]));
    let port = server.url.rsplit_once(':').unwrap().1;
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/documents")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_another_site_is_refused() {
    let app = TestApp::builder().option("--allowed-host", "chat.example.org").start().await;
    let with = |name: &'static str, value: &'static str| app.request("GET", "/documents").header(name, value);
    for foreign in [
        with("host", "evil.example"),
        with("host", "localhost").header("host", "evil.example"),
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
    let refusal = footnote::app::Application::build(&options(&[]), Extractor::in_this_process())
        .await
        .err()
        .expect("it refuses")
        .to_string();
    assert!(refusal.contains("--api-key") && refusal.contains("--allow-anonymous"), "{refusal}");
    footnote::app::Application::build(&options(&["--api-key", "k"]), Extractor::in_this_process()).await.unwrap();
}

#[test]
fn what_nobody_can_send_is_no_key_and_no_host() {
    let folder = tempfile::tempdir().unwrap();
    let open = ["serve", "--listen", "0.0.0.0:0"];
    let refused: [(&[&str], &str); 4] = [
        (&["--api-key", ""], "--api-key"),
        (&["--api-key", "geheim schl\u{fc}ssel"], "--api-key"),
        (&["--api-key", "k", "--allowed-host", "https://a.example"], "a.example"),
        (&["--api-key", "k", "--allowed-host", " "], "--allowed-host"),
    ];
    for (arguments, said) in refused {
        let output = footnote(folder.path()).args(open).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text.contains(said) && !text.contains("geheim"), "{text}");
    }
    let of_nothing = footnote(folder.path()).args(open).env("FOOTNOTE_API_KEY", " , ").output().unwrap();
    assert!(String::from_utf8_lossy(&of_nothing.stderr).contains("there is no key"), "{of_nothing:?}");
}
