//! What an operator finds in the log, as the real binary writes it.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::model_server::{ModelServer, Reply};
use crate::server_process::{Server, folder_with_documents};
use crate::test_app::events;

#[tokio::test]
async fn each_file_that_did_not_get_in_is_named() {
    let folder = folder_with_documents();
    std::fs::write(folder.path().join("notes/empty.txt"), "").unwrap();
    std::fs::write(folder.path().join("notes/noise.txt"), [0_u8; 64]).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("notes/loop")).unwrap();
    let server = Server::start(folder.path(), &["--ingest", "notes"]);
    server.wait_until_ingested().await;
    for (source, what) in [("empty.txt", "skipped"), ("noise.txt", "could not be ingested"), ("loop", "skipped")] {
        server.logged(&[&format!("notes/{source}"), what, "reason"]).await;
    }
}

/// At the level that hides all but trouble.
async fn server_with(model: &ModelServer) -> (Server, tempfile::TempDir) {
    let folder = folder_with_documents();
    let options = ["--log-format", "json", "--log", "warn", "--openai-base-url", model.base_url()];
    let server = Server::start(folder.path(), &[&options[..], &["--ingest", "notes"]].concat());
    server.wait_until_ingested().await;
    (server, folder)
}

#[tokio::test]
async fn a_failed_request_is_logged_with_its_cause_under_its_id() {
    let model = ModelServer::start();
    model.always(|| Reply::refuse(401));
    let (server, _folder) = server_with(&model).await;
    for stream in [false, true] {
        let body = json!({"message": "What is machine learning?", "stream": stream});
        let response = server.request("POST", "/chat").json(&body).send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let text = response.text().await.unwrap();
        assert!(text.contains(&id), "{text}");
        let line: Value = serde_json::from_str(&server.logged(&["request failed", &id]).await).unwrap();
        assert_eq!((&line["http.status"], &line["error.code"]), (&json!(502), &json!("model_error")), "{line}");
        assert!(line["error.cause"].as_str().unwrap().contains("401"), "{line}");
        assert!(line["duration.ms"].as_f64().unwrap() > 0.0, "{line}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_logged_under_the_id_the_client_got() {
    let model = ModelServer::start();
    model.then(Reply::CutAfter("Half an".to_owned()));
    let (server, _folder) = server_with(&model).await;
    let body = json!({"message": "What is machine learning?", "stream": true});
    let response = server.request("POST", "/chat").header("x-request-id", "my-own-id").json(&body).send().await;
    let events = events(&response.unwrap().text().await.unwrap());
    assert_eq!(events.last().unwrap().1["request_id"], "my-own-id");
    server.logged(&["request failed", "my-own-id"]).await;
}

#[tokio::test]
async fn a_turn_that_fails_after_its_client_has_gone_is_logged() {
    let model = ModelServer::start();
    let (words, live) = Reply::live();
    model.then(live);
    let (server, _folder) = server_with(&model).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let body = json!({"message": "What is machine learning?", "stream": true}).to_string();
    let head = format!("POST /chat HTTP/1.1\r\nhost: {address}\r\nx-request-id: gone-away\r\n");
    let head = format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    words.send("It goes".to_owned()).unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("It goes") {
        assert!(connection.read_buf(&mut heard).await.unwrap() > 0, "{}", String::from_utf8_lossy(&heard));
    }
    connection.shutdown().await.unwrap();
    // The server ends its side, too, once it has noticed.
    let _ = connection.read_to_end(&mut heard).await;
    drop(model);
    server.logged(&["after its client had gone", "gone-away"]).await;
}
