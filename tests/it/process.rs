//! The real binaries as processes: how they start, refuse, end, survive and talk.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Output, Stdio};

use futures::StreamExt;
use serde_json::json;

use crate::model_server::{ModelServer, Reply};
use crate::redis_server::{RedisServer, wait_until};
use crate::server_process::{Server, folder_with_documents, footnote, wait};

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

#[tokio::test]
async fn sigterm_finishes_the_answer_in_flight_and_sigkill_loses_only_that() {
    let folder = folder_with_documents();
    let model = ModelServer::start();
    let options = ["--openai-base-url", model.base_url()];
    let question = json!({"user_id": "someone", "message": "What is machine learning?", "stream": true});
    for (signal, messages) in [("TERM", 2), ("KILL", 2)] {
        let mut server = Server::start(folder.path(), &options);
        let (words, live) = Reply::live();
        model.then(live);
        let mut stream = server.request("POST", "/chat").json(&question).send().await.unwrap().bytes_stream();
        words.send("To the".to_owned()).unwrap();
        let mut heard = String::new();
        while !heard.contains("To the") {
            heard.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
        }
        server.signal(signal);
        let _ = words.send(" end.".to_owned());
        drop(words);
        while let Some(Ok(bytes)) = stream.next().await {
            heard.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        assert_eq!(heard.contains("event: done"), signal == "TERM", "{heard}");
        assert_eq!(wait(&mut server.process).success(), signal == "TERM");

        let again = Server::start(folder.path(), &options);
        let session = again.request("GET", "/sessions/someone").send().await.unwrap();
        let session: serde_json::Value = session.json().await.unwrap();
        assert_eq!(session["messages"].as_array().unwrap().len(), messages, "{session}");
        assert_eq!(session["messages"][1]["content"], "To the end.");
    }
}

#[tokio::test]
async fn a_stop_takes_nothing_new_and_waits_for_no_half_request() {
    let folder = folder_with_documents();
    let model = ModelServer::start();
    let options = ["--openai-base-url", model.base_url(), "--shutdown-timeout", "3600"];
    let mut server = Server::start(folder.path(), &options);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let (words, live) = Reply::live();
    model.then(live);
    let question = json!({"message": "What is machine learning?"});
    let asking = tokio::spawn(server.request("POST", "/chat").json(&question).send());
    model.received(1).await;
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"GET /hea").unwrap();

    server.signal("TERM");
    wait_until("new connections are refused", || TcpStream::connect(&address).is_err());
    words.send("To the end.".to_owned()).unwrap();
    drop(words);
    assert!(asking.await.unwrap().unwrap().status().is_success());
    assert!(wait(&mut server.process).success());
}

#[test]
fn sessions_are_exported_from_a_folder_that_has_some() {
    let folder = tempfile::tempdir().unwrap();
    let output = footnote(folder.path()).args(["sessions", "export", "--data-dir", "mistyped"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("mistyped"), "{}", stderr(&output));
    assert!(!folder.path().join("mistyped").exists());
}

#[test]
fn what_only_a_person_can_mend_refuses_the_start() {
    let folder = folder_with_documents();
    let _running = Server::start(folder.path(), &[]);
    std::fs::create_dir_all(folder.path().join("archive/notes")).unwrap();
    let refusals: [(&[&str], &str); 8] = [
        (&["--listen", "127.0.0.1:0"], "another process"),
        (&["--listen", "0.0.0.0:0", "--data-dir", "other"], "--api-key"),
        (&["--ingest", "missing", "--data-dir", "other"], "missing"),
        (&["--ingest", "notes", "--ingest", "archive/notes", "--data-dir", "other"], "`ingest` program"),
        (&["--ingest", "/", "--data-dir", "other"], "has no name"),
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

    std::fs::write(folder.path().join(".env"), "OPENAI_API_KEY=secret-of-file\n").unwrap();
    for command in ["serve", "chat"] {
        let mut help = footnote(folder.path());
        help.args([command, "--help"]).env("FOOTNOTE_API_KEY", "secret-key").env("FOOTNOTE_USER_ID", "secret-user");
        help.env("QDRANT_URL", "http://user:secret@q").env("OPENAI_BASE_URL", "http://user:secret@o");
        let output = help.env("REDIS_URL", "redis://:secret@r").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("--api-key") && text.contains("[env: FOOTNOTE_API_KEY]"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = footnote(folder.path()).args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        let said = stderr(&output);
        assert!(!said.contains("secret"), "{said}");
        said
    };
    for option in ["--qdrant-url", "--openai-base-url", "--redis-url"] {
        refused(&["serve", option, "http://user:secret@host name"]);
    }
    std::fs::write(folder.path().join(".env"), "FOOTNOTE_LOG=warn\nOPENAI_API_KEY=sk-live secret\n").unwrap();
    let said = refused(&["serve"]);
    assert!(said.contains(".env") && said.contains("line 2"), "{said}");
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
        b"What is machine learning?\n/sources\n\xe9t\xe9\n/nonsense\n/reset\nWhat is machine learning?\n/quit\nnever read\n";
    client.stdin.take().unwrap().write_all(lines).unwrap();
    let output = client.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(text.matches("Bot: Machine learning is programs that learn from data.").count(), 2, "{text}");
    assert!(text.contains("[1]") && text.contains("notes/ml.md"), "{text}");
    assert!(text.contains("There is no /nonsense"), "{text}");
    assert!(stderr(&output).contains("not UTF-8"), "{output:?}");
    assert!(text.contains("forgotten"), "{text}");
    assert!(!text.contains("never read"), "{text}");
    assert_eq!(server.ask("terminal", "hello").await["conversation_length"], 4, "the reset conversation had one turn");
}

/// One question, from a client in the same folder as the server.
fn chat(folder: &Path, server: &Server, lines: &str) -> Output {
    let mut client = footnote(folder);
    client.args(["chat", "--server", &server.url, "--user-id", ".."]).env("HTTP_PROXY", "http://127.0.0.1:9");
    let pipes = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = pipes.spawn().unwrap();
    client.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    client.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_shares_the_servers_settings() {
    let folder = folder_with_documents();
    std::fs::write(folder.path().join(".env"), "FOOTNOTE_API_KEY=\"new, old\"\n").unwrap();
    let server = Server::start(folder.path(), &[]);
    let output = chat(folder.path(), &server, "hello\n/reset\n");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("Bot: "), "{output:?}");
    // A URL cannot name this conversation, so it cannot be deleted, and is not said to be.
    assert!(!text.contains("forgotten") && stderr(&output).contains("\"..\""), "{output:?}");

    std::fs::write(folder.path().join(".env"), "FOOTNOTE_API_KEY=other\n").unwrap();
    let refused = chat(folder.path(), &server, "hello\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--api-key"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_told_on_a_line_of_its_own() {
    let folder = folder_with_documents();
    let model = ModelServer::start();
    model.then(Reply::CutAfter("Half an".to_owned()));
    let server = Server::start(folder.path(), &["--openai-base-url", model.base_url()]);
    let output = chat(folder.path(), &server, "hello\n");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("Bot: Half an\n"), "{output:?}");
    assert!(stderr(&output).contains("half-way"), "{output:?}");
}

#[tokio::test]
async fn it_says_who_is_sent_text_and_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let local = Server::start(folder.path(), &[]);
    assert!(local.printed().contains("no other host"), "{}", local.printed());
    drop(local);
    let (redis, model) = (RedisServer::start(), ModelServer::start());
    let with_password = |url: &str, scheme: &str| url.replace(scheme, &format!("{scheme}someone:secret@"));
    let model_url = with_password(model.base_url(), "http://");
    let options = ["--openai-base-url", &model_url, "--redis-url", &redis.url()];
    let server = Server::start(folder.path(), &[&options[..], &["--qdrant-url", "http://127.0.0.1:9"]].concat());
    let printed = server.printed();
    let receivers = printed.lines().find(|line| line.contains("text goes to")).unwrap();
    let model_host = model.base_url().strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
    let redis_host = redis.url().strip_prefix("redis://").unwrap().to_owned();
    for part in [model_host, &redis_host, "127.0.0.1:9", "passages", "conversations", "documents"] {
        assert!(receivers.contains(part), "no {part} in {receivers}");
    }
    assert!(!printed.contains("secret") && !server.log().contains("secret"), "{printed}{}", server.log());
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
