//! `ingest --reindex` where a running server holds the folder: that server builds the collection anew.

use std::path::Path;
use std::process::Output;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::embedding_server::EmbeddingServer;
use crate::server_process::{Server, folder_with_documents, ingest};

async fn ready(server: &Server) -> (StatusCode, Value) {
    let response = server.request("GET", "/readyz").send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn sources(server: &Server) -> Vec<String> {
    let page: Value = server.request("GET", "/documents").send().await.unwrap().json().await.unwrap();
    let documents = page["documents"].as_array().unwrap();
    documents.iter().map(|document| document["source"].as_str().unwrap().to_owned()).collect()
}

fn succeeded(output: Output) -> Output {
    assert!(output.status.success(), "{output:?}");
    output
}

fn server_file(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("footnote-data/server.json")).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_that_holds_the_folder_builds_it_anew_and_goes_on() {
    let folder = folder_with_documents();
    std::fs::write(folder.path().join("notes/held.txt"), "Bread that is HELD back.").unwrap();
    std::fs::write(folder.path().join("notes/tea.txt"), "Tea steeps for four minutes.").unwrap();
    let server = Server::start(folder.path(), &["--ingest", "notes"]);
    server.wait_until_ingested().await;
    let embeddings = EmbeddingServer::start();
    let url = embeddings.base_url().to_owned();
    let other = ["--embedder", "openai", "--embedding-model", "scripted", "--openai-base-url", &url];
    let tokens = server_file(folder.path())["max_tokens"].clone();

    let refused = server.request("POST", "/reindex").bearer_auth("guess").json(&json!({"embedder": "local"}));
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "local_token_only");

    std::thread::scope(|threads| {
        let reindexing = threads.spawn(|| ingest(folder.path(), &[&["--reindex"], &other[..]].concat()));
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            runtime.block_on(async {
                server.logged(&["text to embed is sent to"]).await;
                // Searches go on, and what is deleted meanwhile stays so.
                let answer = server.ask("someone", "What is machine learning?").await;
                assert_eq!(answer["source_documents"][0]["source"], "notes/ml.md", "{answer}");
                let page: Value = server.request("GET", "/documents").send().await.unwrap().json().await.unwrap();
                let documents = page["documents"].as_array().unwrap();
                let tea = documents.iter().find(|document| document["source"] == "notes/tea.txt").unwrap();
                let url = format!("/documents/{}", tea["id"].as_str().unwrap());
                assert!(server.request("DELETE", &url).send().await.unwrap().status().is_success());
                embeddings.release();
            });
        });
        let output = succeeded(reindexing.join().unwrap());
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(printed.contains(" added"), "{printed}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("from its next start on"), "{output:?}");
    });

    assert_eq!(ready(&server).await.0, StatusCode::OK);
    let mut found = sources(&server).await;
    found.sort();
    assert_eq!(found, ["notes/held.txt", "notes/ml.md"]);
    let answer = server.ask("someone", "machine learning").await;
    assert!(!answer["source_documents"].as_array().unwrap().is_empty(), "{answer}");
    assert_ne!(server_file(folder.path())["max_tokens"], tokens);
    // What comes now is embedded as the rest is.
    succeeded(ingest(folder.path(), &[&["notes"], &other[..]].concat()));
    assert_eq!(sources(&server).await.len(), 3);
    let again = succeeded(ingest(folder.path(), &[&["--reindex"], &other[..]].concat()));
    assert!(String::from_utf8_lossy(&again.stdout).starts_with("0 files"), "{again:?}");
    drop(server);

    let server = Server::start(folder.path(), &[]);
    let (status, body) = ready(&server).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["documents"]["detail"].as_str().unwrap().contains("--reindex"), "{body}");
    drop(server);
    let server = Server::start(folder.path(), &other);
    assert_eq!(ready(&server).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_meanwhile_serves_what_it_had_and_goes_on_later() {
    let folder = folder_with_documents();
    std::fs::write(folder.path().join("notes/held.txt"), "Bread that is HELD back.").unwrap();
    let server = Server::start(folder.path(), &["--ingest", "notes"]);
    server.wait_until_ingested().await;
    let embeddings = EmbeddingServer::start();
    let url = embeddings.base_url().to_owned();
    let other = ["--embedder", "openai", "--embedding-model", "scripted", "--openai-base-url", &url];
    let choice = json!({"embedder": "openai", "embedding_model": "scripted", "openai_base_url": url});
    let token = server_file(folder.path())["token"].as_str().unwrap().to_owned();
    let job = server.request("POST", "/reindex").bearer_auth(token).json(&choice).send().await.unwrap();
    assert_eq!(job.status(), StatusCode::ACCEPTED);
    let job: Value = job.json().await.unwrap();
    assert_eq!(job["kind"], "reindex");
    server.logged(&["text to embed is sent to"]).await;
    server.signal("KILL");
    drop(server);

    let server = Server::start(folder.path(), &[]);
    let url = format!("/jobs/{}", job["job_id"].as_str().unwrap());
    let job: Value = server.request("GET", &url).send().await.unwrap().json().await.unwrap();
    assert_eq!(job["state"], "failed");
    assert!(job["error"].as_str().unwrap().contains("--reindex again"), "{job}");
    let answer = server.ask("someone", "What is machine learning?").await;
    assert_eq!(answer["source_documents"][0]["source"], "notes/ml.md", "{answer}");
    embeddings.release();
    succeeded(ingest(folder.path(), &[&["--reindex"], &other[..]].concat()));
    assert_eq!(ready(&server).await.0, StatusCode::OK);
    assert_eq!(sources(&server).await.len(), 2);
}
