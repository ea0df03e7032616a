//! `footnote doctor` on good and bad installations.

use std::path::Path;
use std::process::Command;

use crate::model_server::{ModelServer, Reply};
use crate::redis_server::RedisServer;

/// The exit status and what was printed.
fn doctor(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_footnote"));
    command.env_clear().current_dir(folder).arg("doctor").args(arguments);
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
    model.always(|| Reply::refuse(401));
    let wrong = ["--qdrant-url", "http://127.0.0.1:9", "--redis-url", "redis://127.0.0.1:9"];
    let (status, said) = doctor(folder.path(), &wrong);
    assert_eq!(status, Some(1), "{said}");
    let wrong_parts: Vec<&str> = said.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert_eq!(wrong_parts.len(), 2, "{said}");
    assert!(wrong_parts[0].contains("documents") && wrong_parts[1].contains("sessions"), "{said}");
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
