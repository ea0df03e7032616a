//! The real binaries as processes: how they start, refuse, end, survive and talk.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::test_app::DEADLINE;

const FOOTNOTE: &str = env!("CARGO_BIN_EXE_footnote");

/// `footnote` with nothing of the tests' environment but the path.
fn footnote(folder: &Path) -> Command {
    let mut command = Command::new(FOOTNOTE);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(folder);
    command
}

/// A serving process; killed when dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut process = footnote(folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says where it listens").unwrap();
        let url = first.split_whitespace().last().unwrap().to_owned();
        // Whatever else it prints must not meet a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    }

    async fn ask(&self, user_id: &str, message: &str) -> Value {
        let body = json!({"user_id": user_id, "message": message});
        let response = reqwest::Client::new().post(format!("{}/chat", self.url)).json(&body).send().await.unwrap();
        response.json().await.unwrap()
    }

    async fn wait_until_ingested(&self) {
        let started = Instant::now();
        loop {
            let ready: Value = reqwest::get(format!("{}/readyz", self.url)).await.unwrap().json().await.unwrap();
            if ready["ingesting"]["running"] == false {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{ready}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait(process: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < DEADLINE, "the process does not end");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn folder_with_documents() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("notes")).unwrap();
    let note = "# Learning\n\nMachine learning is programs that learn from data.\n";
    std::fs::write(folder.path().join("notes/ml.md"), note).unwrap();
    folder
}

#[tokio::test]
async fn documents_and_conversations_survive_sigkill() {
    let folder = folder_with_documents();
    let server = Server::start(folder.path(), &["--ingest", "notes"]);
    server.wait_until_ingested().await;
    let before = server.ask("someone", "What is machine learning?").await;
    assert_eq!(before["session_persisted"], true, "{before}");
    server.signal("KILL");
    drop(server);

    let server = Server::start(folder.path(), &[]);
    let after = server.ask("someone", "What is machine learning?").await;
    assert_eq!(after["conversation_length"], 4);
    assert_eq!(after["source_documents"][0]["source"], "notes/ml.md");
}

#[tokio::test]
async fn sigterm_and_sigint_end_it_in_order() {
    let folder = folder_with_documents();
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(folder.path(), &[]);
        server.signal(signal);
        assert!(wait(&mut server.process).success(), "SIG{signal}");
    }
}

#[test]
fn what_only_a_person_can_mend_refuses_the_start() {
    let folder = folder_with_documents();
    let _running = Server::start(folder.path(), &[]);
    let refusals: [(&[&str], &str); 6] = [
        (&["--listen", "127.0.0.1:0"], "another process"),
        (&["--listen", "0.0.0.0:0", "--data-dir", "other"], "--api-key"),
        (&["--ingest", "missing", "--data-dir", "other"], "missing"),
        (&["--sessions", "redis", "--data-dir", "other"], "--redis-url"),
        (&["--redis-url", "http://not-redis", "--data-dir", "other"], "Redis URL"),
        (&["--prompt", "notes/ml.md", "--data-dir", "other"], "{{"),
    ];
    for (arguments, said) in refusals {
        let output = footnote(folder.path()).arg("serve").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_usage_error_is_status_2_and_help_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = footnote(folder.path()).args(["serve", "--lisen", "x"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("--listen"), "{}", stderr(&wrong));

    std::fs::write(folder.path().join(".env"), "OPENAI_API_KEY=sk-from-file\n").unwrap();
    let help =
        footnote(folder.path()).args(["serve", "--help"]).env("FOOTNOTE_API_KEY", "sk-from-variable").output().unwrap();
    let text = String::from_utf8_lossy(&help.stdout);
    assert!(text.contains("--openai-api-key") && !text.contains("sk-from"), "{text}");
}

#[tokio::test]
async fn flag_then_environment_then_file_then_default() {
    let folder = folder_with_documents();
    std::fs::write(folder.path().join(".env"), "FOOTNOTE_API_KEY=from-file\nFOOTNOTE_DATA_DIR=from-file\n").unwrap();
    let data_dir = |arguments: &[&str], variable: Option<&str>| {
        let mut command = footnote(folder.path());
        command.arg("doctor").args(arguments);
        if let Some(value) = variable {
            command.env("FOOTNOTE_DATA_DIR", value);
        }
        command.output().unwrap();
        let made = ["from-flag", "from-variable", "from-file", "footnote-data"];
        let found = made.into_iter().find(|name| folder.path().join(name).exists());
        if let Some(name) = found {
            std::fs::remove_dir_all(folder.path().join(name)).unwrap();
        }
        found
    };
    assert_eq!(data_dir(&["--data-dir", "from-flag"], Some("from-variable")), Some("from-flag"));
    assert_eq!(data_dir(&[], Some("from-variable")), Some("from-variable"));
    assert_eq!(data_dir(&[], None), Some("from-file"));
    assert_eq!(data_dir(&[], Some("")), Some("from-file"), "an empty variable counts as unset");
    std::fs::remove_file(folder.path().join(".env")).unwrap();
    assert_eq!(data_dir(&[], None), Some("footnote-data"));
}

#[tokio::test]
async fn the_terminal_client_talks_shows_sources_and_resets() {
    let folder = folder_with_documents();
    let server = Server::start(folder.path(), &["--ingest", "notes"]);
    server.wait_until_ingested().await;
    let mut client = footnote(folder.path())
        .args(["chat", "--server", &server.url, "--user-id", "terminal"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines =
        "What is machine learning?\n/sources\n/nonsense\n/reset\nWhat is machine learning?\n/quit\nnever read\n";
    client.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(text.matches("Bot: Machine learning is programs that learn from data.").count(), 2, "{text}");
    assert!(text.contains("[1]") && text.contains("notes/ml.md"), "{text}");
    assert!(text.contains("There is no /nonsense"), "{text}");
    assert!(text.contains("forgotten"), "{text}");
    assert!(!text.contains("never read"), "{text}");
    assert_eq!(server.ask("terminal", "hello").await["conversation_length"], 4, "the reset conversation had one turn");
}

#[test]
fn a_client_without_a_server_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = footnote(folder.path()).args(["chat", "--server", "http://127.0.0.1:9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("footnote serve"), "{}", stderr(&output));
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
