//! `footnote doctor` on good and bad installations.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::embedding_server::EmbeddingServer;
use crate::model_server::ModelServer;
use crate::redis_server::RedisServer;
use crate::server_process::Server;

/// The exit status and what was printed.
fn doctor(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_footnote"));
    command.env_clear().current_dir(folder).args(["doctor", "--redis-timeout", "10000"]).args(arguments);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn an_empty_installation_is_well_and_told_what_is_next() {
    let folder = tempfile::tempdir().unwrap();
    let (status, said) = doctor(folder.path(), &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("--ingest") && said.contains("no other host"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = ModelServer::start();
    model.list_models_with(401);
    let stores = ["--qdrant-url", "http://127.0.0.1:9", "--redis-url", "redis://127.0.0.1:9"];
    let rest = ["--openai-base-url", model.base_url(), "--listen", "0.0.0.0:8080", "--ingest", "missing"];
    let (status, said) = doctor(folder.path(), &[&stores[..], &rest[..]].concat());
    assert_eq!(status, Some(1), "{said}");
    let wrong = said.lines().filter_map(|line| line.strip_prefix("WRONG "));
    let wrong: Vec<&str> = wrong.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(wrong, ["documents", "sessions", "model", "ingest", "access"], "{said}");
    assert!(said.contains("--allow-anonymous") && said.contains("401"), "{said}");
}

#[test]
fn of_the_paths_to_ingest_each_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("notes")).unwrap();
    let (status, said) = doctor(folder.path(), &["--ingest", "notes", "--ingest", "missing"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("missing: there is no such file or folder"), "{said}");
}

#[test]
fn a_reranker_that_does_not_work_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (status, said) = doctor(folder.path(), &["--rerank-url", "http://127.0.0.1:9/rerank"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("reranker") && said.contains("endpoint: it cannot be reached"), "{said}");
    let (status, said) = doctor(folder.path(), &["--reranker", "endpoint"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("--rerank-url"), "{said}");
    let (_, said) = doctor(folder.path(), &[]);
    assert!(said.lines().any(|line| line.starts_with("ok") && line.contains("reranker")), "{said}");
}

#[test]
fn whoever_may_come_in_is_judged_as_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, status, said) in [
        (vec!["--allow-anonymous"], 0, "from this machine only"),
        (vec!["--allow-anonymous", "--listen", "0.0.0.0:8080"], 0, "may read every document"),
        (vec!["--api-key", "k", "--listen", "0.0.0.0:8080"], 0, "1 API key"),
        (vec!["--listen", "nonsense"], 1, "HOST:PORT"),
        (vec!["--api-key", "two words"], 1, "--api-key"),
    ] {
        let (found, text) = doctor(folder.path(), &arguments);
        assert_eq!(found, Some(status), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

#[tokio::test]
async fn a_look_does_not_decide_what_the_collection_is_made_with() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(doctor(folder.path(), &[]).0, Some(0));
    let embeddings = EmbeddingServer::start();
    let options = ["--embedder", "openai", "--openai-base-url", embeddings.base_url()];
    let server = Server::start(folder.path(), &options);
    let ready: Value = server.request("GET", "/readyz").send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["documents"]["ok"], true, "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_may_forget_is_objected_to() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let url = redis.url();
    let (status, said) = doctor(folder.path(), &["--redis-url", &url]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("maxmemory-policy") && said.contains("noeviction"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_redis_are_told_with_what_they_mean() {
    let redis = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let folder = tempfile::tempdir().unwrap();
    let url = redis.url();
    let (status, said) = doctor(folder.path(), &["--redis-url", &url]);
    assert_eq!(status, Some(0), "{said}");
    for words in ["appendfsync always", "no replicas", "maxmemory-policy noeviction"] {
        assert!(said.contains(words), "{words}: {said}");
    }

    // Managed services refuse CONFIG; a locked-down user may not even run INFO.
    redis.command(&["ACL", "SETUSER", "app", "on", "nopass", "~*", "+@all", "-config"]);
    let app = url.replace("redis://", "redis://app:any@");
    let (status, said) = doctor(folder.path(), &["--redis-url", &app]);
    assert!(status == Some(0) && said.contains("CONFIG GET is refused"), "{said}");
    redis.command(&["ACL", "SETUSER", "app", "-info"]);
    let (status, said) = doctor(folder.path(), &["--redis-url", &app]);
    assert!(status == Some(0) && said.contains("+info"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_refuses_turns_is_wrong_and_why_is_said() {
    let redis = RedisServer::start_with(&["--requirepass", "s3cret"]);
    let folder = tempfile::tempdir().unwrap();
    let (status, said) = doctor(folder.path(), &["--redis-url", &redis.url()]);
    assert!(status == Some(1) && said.contains("wants a password"), "{said}");
    let (status, said) = doctor(folder.path(), &["--redis-url", "redis://:s3c/ret@127.0.0.1"]);
    assert!(status == Some(1) && said.contains("percent-encoded") && !said.contains("s3c"), "{said}");
}
