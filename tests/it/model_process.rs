//! The real binary with a remote model: what it writes into its log, and where it sends what it is asked.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::model_server::{ModelServer, Reply};
use crate::test_app::DEADLINE;

/// In the message, in a document and in what the model says: never in the log.
const SECRET: &str = "hyperthyreosis";

/// A serving process that logs everything it ever logs; killed when dropped.
struct Server {
    process: Child,
    url: String,
    folder: TempDir,
}

impl Server {
    async fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("notes")).unwrap();
        std::fs::write(folder.path().join("notes/health.md"), format!("# Health\n\nThe diagnosis is {SECRET}.\n"))
            .unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_footnote"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--ingest", "notes"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url =
            lines.next().expect("it says where it listens").unwrap().split_whitespace().last().unwrap().to_owned();
        // Whatever else it prints must not meet a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { process, url, folder };
        let started = Instant::now();
        while server.ready().await["ingesting"]["running"] != false {
            assert!(started.elapsed() < DEADLINE, "{}", server.ready().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    async fn ready(&self) -> Value {
        reqwest::get(format!("{}/readyz", self.url)).await.unwrap().json().await.unwrap()
    }

    async fn ask(&self, stream: bool) -> Response {
        let body = json!({"user_id": "someone", "message": format!("What is {SECRET}?"), "stream": stream});
        Client::new().post(format!("{}/chat", self.url)).json(&body).send().await.unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_log_holds_the_causes_of_failures_and_no_text_of_a_conversation() {
    let model = ModelServer::start();
    let everything = "trace,async_openai=trace,async_openai::error=trace";
    let server = Server::start(&["--openai-base-url", model.base_url(), "--log", everything], &[]).await;
    let chunk = |choices: Value| Reply::events([json!({"choices": choices})]);
    let failures = [
        (Reply::RefuseWith { status: 401, body: r#"{"error": {"message": "PROMPT"}}"# }, "the key is not accepted"),
        (Reply::RefuseWith { status: 422, body: r#"{"detail": [{"input": "PROMPT"}]}"# }, "status 422"),
        (Reply::Refuse { status: 429, code: "slow_down", retry_after: Some("3600") }, "code slow_down"),
        (chunk(json!([{"delta": {"content": SECRET}, "finish_reason": 7}])), "not a chunk"),
        (chunk(json!(SECRET)), "not a chunk"),
        (Reply::Raw(format!("data: {SECRET}\n\n").into_bytes()), "not a chunk"),
    ];
    for (reply, cause) in failures {
        model.then(reply);
        let problem: Value = server.ask(false).await.json().await.unwrap();
        let request_id = problem["request_id"].as_str().unwrap_or_else(|| panic!("no failure: {problem}"));
        let log = server.log();
        let told = log.lines().find(|line| line.contains("WARN") && line.contains(request_id));
        assert!(told.is_some_and(|line| line.contains(cause)), "{cause:?} is not in {told:?}");
    }
    model.then(Reply::answer(&format!("It is {SECRET} [1]."))).then(Reply::answer(SECRET));
    for stream in [false, true] {
        let answer = server.ask(stream).await.text().await.unwrap();
        assert!(answer.contains(SECRET), "{answer}");
    }
    let log = server.log();
    let telling: Vec<&str> = log.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(telling.is_empty(), "{telling:#?}");
}

#[tokio::test]
async fn a_proxy_in_the_environment_gets_nothing() {
    let proxy = ModelServer::start();
    let model = ModelServer::start();
    model.always(|| Reply::answer("From the model [1]."));
    // Not a loopback address, and yet this machine.
    let base_url = model.base_url().replace("127.0.0.1", "0.0.0.0");
    let proxy_url = proxy.base_url().replace("/v1", "");
    let server = Server::start(
        &["--openai-base-url", &base_url],
        &[("HTTP_PROXY", &proxy_url), ("http_proxy", &proxy_url), ("ALL_PROXY", &proxy_url)],
    )
    .await;
    let answer: Value = server.ask(false).await.json().await.unwrap();
    assert_eq!(answer["response"], "From the model [1].", "{answer}");
    assert!(proxy.requests().is_empty());
}
