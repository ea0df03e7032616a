//! The real binary as a process of its own, with nothing of the tests' environment, and killed with the test. Included by
//! test binaries with `#[path]`.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine, and short enough to notice a hang.
const DEADLINE: Duration = Duration::from_secs(60);

/// `footnote` with nothing of the tests' environment but the path.
pub(crate) fn footnote(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_footnote"));
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(folder);
    command
}

/// `ingest`, which is built beside `footnote`.
pub(crate) fn ingest(folder: &Path, arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_footnote")).with_file_name("ingest");
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(folder).args(arguments).output().unwrap()
}

/// A serving process; killed when dropped. The end of its log is shown if the test fails.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) url: String,
    /// What it prints and logs.
    output: TempDir,
}

impl Server {
    /// Serves in `folder`, on a free port of the loopback address.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::run(footnote(folder).args(["serve", "--listen", "127.0.0.1:0"]).args(arguments))
    }

    /// Runs a command that serves, and waits until it says where.
    pub(crate) fn run(command: &mut Command) -> Self {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        let process = command.stdout(file("printed")).stderr(file("log")).spawn().unwrap();
        let mut server = Self { process, url: String::new(), output };
        let started = Instant::now();
        while !server.printed().contains("text goes to") {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < DEADLINE, "{ended:?} {}", server.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        server.url = server.printed().lines().next().unwrap().split_whitespace().last().unwrap().to_owned();
        server
    }

    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.output.path().join("printed")).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.output.path().join("log")).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", self.url)).timeout(DEADLINE)
    }

    pub(crate) async fn ask(&self, user_id: &str, message: &str) -> Value {
        let body = json!({"user_id": user_id, "message": message});
        self.request("POST", "/chat").json(&body).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn wait_until_ingested(&self) {
        let started = Instant::now();
        loop {
            let ready: Value = self.request("GET", "/readyz").send().await.unwrap().json().await.unwrap();
            if ready["ingesting"]["running"] == false {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{ready}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the log has a line with all of these in it, and returns it.
    pub(crate) async fn logged(&self, parts: &[&str]) -> String {
        let started = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| parts.iter().all(|part| line.contains(part))) {
                return line.to_owned();
            }
            assert!(started.elapsed() < DEADLINE, "no line with {parts:?} in {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of the log of {}:\n{}", self.url, lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

pub(crate) fn wait(process: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < DEADLINE, "the process does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// With a folder `notes` and a document in it.
pub(crate) fn folder_with_documents() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("notes")).unwrap();
    let note = "# Learning\n\nMachine learning is programs that learn from data.\n";
    fs::write(folder.path().join("notes/ml.md"), note).unwrap();
    folder
}
