//! A real server on a free port with documents of its own, driven through its public surface. Everything it keeps is in
//! a temporary folder that goes with it.

use footnote_ingest::Extractor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{CommandFactory, FromArgMatches};
use footnote::app::Application;
use footnote::cli::{Cli, ServeOptions};
use footnote::http::Patience;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here takes on a busy machine, and short enough to notice a hang.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct TestApp {
    pub(crate) url: String,
    client: Client,
    api_key: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<anyhow::Result<()>>>,
    /// Removed when the app is dropped.
    _folder: TempDir,
    arguments: Vec<String>,
    patience: Patience,
}

#[derive(Default)]
pub(crate) struct TestAppBuilder {
    arguments: Vec<String>,
    documents: Vec<(String, Vec<u8>)>,
    paths: Vec<PathBuf>,
    api_key: Option<String>,
    patience: Patience,
    /// Whether [`TestAppBuilder::start`] waits until the documents are in.
    ingests_meanwhile: bool,
}

/// A status and the JSON under it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl TestAppBuilder {
    /// Adds a command-line option as `serve` takes it.
    pub(crate) fn option(mut self, name: &str, value: impl ToString) -> Self {
        self.arguments.extend([name.to_owned(), value.to_string()]);
        self
    }

    /// A file in the folder that is ingested at start, `library`.
    pub(crate) fn document(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.documents.push((name.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Ingests this folder at start.
    pub(crate) fn ingest(mut self, path: impl AsRef<Path>) -> Self {
        self.paths.push(path.as_ref().to_owned());
        self
    }

    pub(crate) fn api_key(mut self, key: &str) -> Self {
        self.api_key = Some(key.to_owned());
        self.option("--api-key", key)
    }

    /// Waits for clients no longer than this.
    pub(crate) fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Is started before its documents are in.
    pub(crate) fn while_it_ingests(mut self) -> Self {
        self.ingests_meanwhile = true;
        self
    }

    /// Starts the server and waits until its documents are in.
    pub(crate) async fn start(self) -> TestApp {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = self.arguments;
        let library = folder.path().join("library");
        std::fs::create_dir(&library).unwrap();
        for (name, content) in &self.documents {
            std::fs::write(library.join(name), content).unwrap();
        }
        if !self.documents.is_empty() {
            arguments.extend(["--ingest".to_owned(), library.display().to_string()]);
        }
        for path in &self.paths {
            arguments.extend(["--ingest".to_owned(), path.display().to_string()]);
        }
        let data_dir = folder.path().join("data").display().to_string();
        arguments.extend(["--data-dir".to_owned(), data_dir, "--listen".to_owned(), "127.0.0.1:0".to_owned()]);
        let mut app = TestApp {
            url: String::new(),
            client: Client::new(),
            api_key: self.api_key,
            stop: None,
            running: None,
            _folder: folder,
            arguments,
            patience: self.patience,
        };
        app.run().await;
        if !self.ingests_meanwhile {
            app.wait_until_ingested().await;
        }
        app
    }
}

impl TestApp {
    pub(crate) fn builder() -> TestAppBuilder {
        TestAppBuilder::default()
    }

    async fn run(&mut self) {
        let application =
            Application::build(&serve_options(&self.arguments), Extractor::in_this_process()).await.unwrap();
        let application = application.with_patience(self.patience);
        self.url = format!("http://{}", application.local_addr());
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        self.running = Some(tokio::spawn(application.run_until(Box::pin(async {
            let _ = stopped.await;
        }))));
    }

    /// Waits until what it was started with is in its collection.
    pub(crate) async fn wait_until_ingested(&self) {
        self.wait_until("the documents are in", async |app| {
            // Null where nothing is to be ingested.
            app.get("/readyz").await.body["ingesting"]["running"] != true
        })
        .await;
    }

    /// Stops as a signal would have it, then starts again on the same folder, on another port.
    pub(crate) async fn restart(&mut self) {
        self.shut_down().await;
        self.run().await;
        self.wait_until_ingested().await;
    }

    /// Begins to stop as a signal would have it, without waiting.
    pub(crate) fn begin_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    pub(crate) async fn shut_down(&mut self) {
        self.begin_to_stop();
        if let Some(running) = self.running.take() {
            tokio::time::timeout(DEADLINE, running).await.expect("the server stops in time").unwrap().unwrap();
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.url)).timeout(DEADLINE);
        match &self.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request("DELETE", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request("POST", path).json(&body)).await
    }

    /// Asks one question in one conversation and expects an answer.
    pub(crate) async fn ask(&self, user_id: &str, message: &str) -> Value {
        let answer = self.post("/chat", json!({"user_id": user_id, "message": message})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Asks with `"stream": true`; the events as (name, data), in order.
    pub(crate) async fn ask_streaming(&self, user_id: &str, message: &str) -> Vec<(String, Value)> {
        let body = json!({"user_id": user_id, "message": message, "stream": true});
        let response = self.request("POST", "/chat").json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        events(&response.text().await.unwrap())
    }

    /// Waits until `condition` holds, and fails when it never does.
    pub(crate) async fn wait_until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self).await {
            assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}

/// The events of a whole server-sent stream, comments left out.
pub(crate) fn events(stream: &str) -> Vec<(String, Value)> {
    let frames = stream.split("\n\n").filter(|frame| frame.starts_with("event: "));
    frames
        .map(|frame| {
            let (name, data) = frame["event: ".len()..].split_once("\ndata: ").expect("an event has data");
            (name.to_owned(), serde_json::from_str(data).expect("the data is JSON"))
        })
        .collect()
}

/// Options as `serve` would parse them, whatever stands in the environment of the tests.
pub(crate) fn serve_options(arguments: &[String]) -> ServeOptions {
    let command = Cli::command().mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
    let arguments = std::iter::once("footnote").chain(arguments.iter().map(String::as_str));
    Cli::from_arg_matches(&command.get_matches_from(arguments)).unwrap().serve
}
