//! `POST /chat` of the real server as a process, with a scripted model that answers at once: requests per second and
//! latency at 1, 8 and 32 clients, time to the first delta, memory, and start to first answer.
//!
//!     cargo bench --bench chat                          # everything embedded
//!     cargo bench --bench chat -- --redis               # sessions in a redis-server that it starts
//!     QDRANT_URL=http://127.0.0.1:6334 cargo bench --bench chat -- --redis
//!
//! The load comes from this process, on the same cores.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/model_server.rs"]
mod model_server;
#[path = "../tests/support/redis_server.rs"]
mod redis_server;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use model_server::{ModelServer, Reply};
use redis_server::RedisServer;
use reqwest::Client;
use serde_json::{Value, json};

const FOOTNOTE: &str = env!("CARGO_BIN_EXE_footnote");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
const LOAD_TIME: Duration = Duration::from_secs(8);
const OPEN_STREAMS: usize = 1000;

struct Server {
    process: Child,
    url: String,
    /// Where it runs.
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(arguments: &[String]) -> Self {
        let mut command = Command::new(FOOTNOTE);
        // Neither the settings of one's own server nor a `.env` beside the sources decide what is measured.
        let folder = tempfile::tempdir().unwrap();
        command.env_clear().current_dir(folder.path());
        if let Some(url) = std::env::var_os("QDRANT_URL") {
            command.env("QDRANT_URL", url);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]).args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap().split_whitespace().last().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url, _folder: folder }
    }

    /// Resident memory in MiB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::main]
async fn main() {
    let with_redis = std::env::args().any(|argument| argument == "--redis");
    let folder = tempfile::tempdir().unwrap();
    let model = ModelServer::start();
    model.always(|| Reply::answer("Machine learning is programs that learn from data [1]."));
    let redis = if with_redis { Some(RedisServer::start()) } else { None };

    let mut arguments = vec!["--data-dir".to_owned(), folder.path().display().to_string()];
    if let Some(redis) = &redis {
        arguments.extend(["--redis-url".to_owned(), redis.url()]);
    }
    let remote =
        ["--openai-base-url".to_owned(), model.base_url().to_owned(), "--chat-model".to_owned(), "scripted".to_owned()];
    let with_model: Vec<String> = arguments.iter().cloned().chain(remote).collect();

    let mut ingesting = with_model.clone();
    ingesting.extend(["--ingest".to_owned(), DATA.to_owned()]);
    let server = Server::start(&ingesting);
    wait_until_ready(&server.url).await;
    drop(server);

    start_to_first_answer(&with_model).await;

    let server = Server::start(&with_model);
    let client = Client::new();
    ask(&client, &server.url, "warm-up").await;
    println!("memory idle, after one answer: {:.0} MiB", server.memory());
    for clients in [1, 8, 32] {
        load(&server, clients).await;
    }
    println!("memory after the load: {:.0} MiB", server.memory());
    first_delta(&server, &model).await;
    open_streams(&server, &model).await;
}

async fn wait_until_ready(url: &str) {
    loop {
        if let Ok(response) = reqwest::get(format!("{url}/readyz")).await {
            let body: Value = response.json().await.unwrap();
            if body["status"] == "ready" {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn start_to_first_answer(arguments: &[String]) {
    let client = Client::new();
    let mut taken = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let server = Server::start(arguments);
        ask(&client, &server.url, "starter").await;
        taken.push(started.elapsed());
    }
    println!("start to first answer, existing store: median {:.0} ms", milliseconds(percentile(&mut taken, 0.5)));
}

async fn ask(client: &Client, url: &str, user_id: &str) {
    let body = json!({"user_id": user_id, "message": "What is machine learning?"});
    let response = client.post(format!("{url}/chat")).json(&body).send().await.unwrap();
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert!(status.is_success() && body["session_persisted"] == true, "{body}");
}

async fn load(server: &Server, clients: usize) {
    let until = Instant::now() + LOAD_TIME;
    let asking = (0..clients).map(|number| {
        let url = server.url.clone();
        tokio::spawn(async move {
            let (client, user) = (Client::new(), format!("client-{number}"));
            let mut taken = Vec::new();
            while Instant::now() < until {
                let started = Instant::now();
                ask(&client, &url, &user).await;
                taken.push(started.elapsed());
            }
            taken
        })
    });
    let started = Instant::now();
    let results = futures::future::join_all(asking).await;
    let elapsed = started.elapsed().as_secs_f64();
    let mut taken: Vec<Duration> = results.into_iter().flat_map(Result::unwrap).collect();
    println!(
        "{clients:>2} clients: {:>6.0} requests/s, p50 {:.2} ms, p99 {:.2} ms",
        taken.len() as f64 / elapsed,
        milliseconds(percentile(&mut taken, 0.5)),
        milliseconds(percentile(&mut taken, 0.99)),
    );
}

/// From the moment the model's first word is sent to the moment the client has it.
async fn first_delta(server: &Server, model: &ModelServer) {
    let client = Client::new();
    let mut taken = Vec::new();
    let asked_before = model.requests().len();
    for number in 1..=200 {
        let (words, live) = Reply::live();
        model.then(live);
        let body = json!({"user_id": "streamer", "message": "What is machine learning?", "stream": true});
        let response = client.post(format!("{}/chat", server.url)).json(&body).send().await.unwrap();
        model.received(asked_before + number).await;
        let mut stream = response.bytes_stream();
        let mut heard = String::new();
        let spoken = Instant::now();
        words.send("Word".to_owned()).unwrap();
        while !heard.contains("event: delta") {
            heard.push_str(&String::from_utf8_lossy(&stream.next().await.unwrap().unwrap()));
        }
        taken.push(spoken.elapsed());
        drop(words);
        while stream.next().await.is_some() {}
    }
    println!(
        "model's first word to the client's first delta (two loopback hops): p50 {:.2} ms",
        milliseconds(percentile(&mut taken, 0.5))
    );
}

async fn open_streams(server: &Server, model: &ModelServer) {
    let before = server.memory();
    let client = Client::new();
    let mut open = Vec::new();
    for number in 0..OPEN_STREAMS {
        let (words, live) = Reply::live();
        model.then(live);
        let body = json!({"user_id": format!("open-{number}"), "message": "What is machine learning?", "stream": true});
        let response = client.post(format!("{}/chat", server.url)).json(&body).send().await.unwrap();
        open.push((words, response));
    }
    println!("{OPEN_STREAMS} open streams: {:+.0} MiB", server.memory() - before);
}

fn percentile(taken: &mut [Duration], part: f64) -> Duration {
    taken.sort_unstable();
    let last = taken.len() - 1;
    taken[((last as f64) * part).round() as usize]
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
