//! `POST /chat` of the real server as a process, with a scripted model that answers at once: requests per second and
//! latency at 1, 8 and 32 clients, time to the first delta, memory, and start to first answer.
//!
//!     cargo bench --bench chat                          # everything embedded
//!     cargo bench --bench chat -- --extractive          # and no model: answers are sentences of the documents
//!     cargo bench --bench chat -- --redis               # sessions in a redis-server that it starts
//!     QDRANT_URL=http://127.0.0.1:6334 cargo bench --bench chat -- --redis
//!     QDRANT_URL=http://127.0.0.1:6334 cargo bench --bench chat -- --redis --langchain python3
//!
//! The last compares it, in turns, with the application of `benches/langchain`, whose requirements that Python has.
//! The load comes from this process, on the same cores.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/model_server.rs"]
mod model_server;
#[path = "../tests/support/redis_server.rs"]
mod redis_server;

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use model_server::{ModelServer, Reply};
use redis_server::{RedisServer, free_port};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use uuid::Uuid;

const FOOTNOTE: &str = env!("CARGO_BIN_EXE_footnote");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
const LANGCHAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/langchain");
const LOAD_TIME: Duration = Duration::from_secs(8);
const OPEN_STREAMS: usize = 1000;
/// Of the comparison, in turns, since the speed of a shared machine changes by the minute.
const ROUNDS: usize = 3;
/// Of a conversation under load: an application that reads all of a long one would be measured by that.
const TURNS: usize = 10;

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

    /// One process of the application of `benches/langchain`, whose collection is there.
    async fn start_langchain(python: &str, redis: &RedisServer, model: &ModelServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().to_string();
        let mut command = Command::new(python);
        command.args(["-m", "uvicorn", "--app-dir", LANGCHAIN, "--log-level", "warning", "--port", &port]);
        command.arg("app:app").current_dir(folder.path());
        command.env("REDIS_URL", redis.url()).env("OPENAI_BASE_URL", model.base_url());
        let server =
            Self { process: command.spawn().unwrap(), url: format!("http://127.0.0.1:{port}"), _folder: folder };
        while reqwest::get(format!("{}/openapi.json", server.url)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
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
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (with_redis, extractive) = (has("--redis"), has("--extractive"));
    let python = arguments.iter().skip_while(|argument| *argument != "--langchain").nth(1);
    let folder = tempfile::tempdir().unwrap();
    let model = ModelServer::start();
    model.always(|| Reply::answer("Machine learning is programs that learn from data [1]."));
    let redis = if with_redis { Some(RedisServer::start()) } else { None };

    let mut options = vec!["--data-dir".to_owned(), folder.path().display().to_string()];
    if let Some(redis) = &redis {
        options.extend(["--redis-url".to_owned(), redis.url()]);
        // A disk that stalls is to be seen in the latency.
        options.extend(["--redis-timeout".to_owned(), "5000".to_owned()]);
    }
    if !extractive {
        let url = model.base_url().to_owned();
        options.extend(["--openai-base-url".to_owned(), url, "--chat-model".to_owned(), "scripted".to_owned()]);
    }

    let mut ingesting = options.clone();
    ingesting.extend(["--ingest".to_owned(), DATA.to_owned()]);
    let server = Server::start(&ingesting);
    wait_until_ready(&server.url).await;
    drop(server);

    start_to_first_answer(&options).await;

    let server = Server::start(&options);
    let client = Client::new();
    wait_until_ready(&server.url).await;
    println!("memory idle, before the first answer: {:.0} MiB", server.memory());
    ask(&client, &server.url, "warm-up").await;
    println!("memory idle, after one answer: {:.0} MiB", server.memory());
    for clients in [1, 8, 32] {
        println!("{clients:>2} clients: {}", load(std::slice::from_ref(&server), clients).await);
    }
    println!("memory after the load: {:.0} MiB", server.memory());
    if extractive {
        // It has no first word to wait for.
        return;
    }
    first_delta(&server, &model).await;
    open_streams(&server, &model).await;
    if let Some(python) = python {
        let redis = redis.as_ref().expect("--langchain needs --redis");
        beside_langchain(server, python, redis, &model).await;
    }
}

/// In one process, and in one for each core, which is what it takes to use both.
async fn beside_langchain(server: Server, python: &str, redis: &RedisServer, model: &ModelServer) {
    let ingested = Command::new(python).arg(format!("{LANGCHAIN}/app.py")).env("DATA", DATA).status().unwrap();
    assert!(ingested.success());
    let own = [server];
    let mut processes = Vec::new();
    for _ in 0..2 {
        let started = Instant::now();
        let process = Server::start_langchain(python, redis, model).await;
        ask(&Client::new(), &process.url, "warm-up").await;
        println!("FastAPI + LangChain: {:.1} s to the first answer", started.elapsed().as_secs_f64());
        processes.push(process);
        let count = processes.len();
        for clients in [1, 8, 32] {
            for _ in 0..ROUNDS {
                let (footnote, langchain) = (load(&own, clients).await, load(&processes, clients).await);
                let ratio = footnote.per_second / langchain.per_second;
                println!(
                    "{clients:>2} clients: {footnote}; {count} × FastAPI + LangChain: {langchain}; ratio {ratio:.1}"
                );
            }
        }
    }
    println!("FastAPI + LangChain, a process: {:.0} MiB", processes[0].memory());
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

/// What one load met.
struct Load {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (milliseconds(self.p50), milliseconds(self.p99));
        write!(formatter, "{:>6.0} requests/s, p50 {p50:.2} ms, p99 {p99:.2} ms", self.per_second)
    }
}

/// Each client has conversations of its own, one after the other.
async fn load(servers: &[Server], clients: usize) -> Load {
    let started = Instant::now();
    let until = started + LOAD_TIME;
    let asking = (0..clients).map(|number| {
        let url = servers[number % servers.len()].url.clone();
        tokio::spawn(async move {
            let client = Client::new();
            let mut taken = Vec::new();
            let mut user = String::new();
            while Instant::now() < until {
                if taken.len().is_multiple_of(TURNS) {
                    user = Uuid::new_v4().to_string();
                }
                let started = Instant::now();
                ask(&client, &url, &user).await;
                taken.push(started.elapsed());
            }
            taken
        })
    });
    let results = futures::future::join_all(asking).await;
    let elapsed = started.elapsed().as_secs_f64();
    let mut taken: Vec<Duration> = results.into_iter().flat_map(Result::unwrap).collect();
    Load {
        per_second: taken.len() as f64 / elapsed,
        p50: percentile(&mut taken, 0.5),
        p99: percentile(&mut taken, 0.99),
    }
}

/// From the moment the model's first word is sent to the moment the client has it.
async fn first_delta(server: &Server, model: &ModelServer) {
    let client = Client::new();
    let mut taken = Vec::new();
    let asked_before = model.requests().len();
    for number in 1..=200 {
        let (words, live) = Reply::live();
        model.then(live);
        let mut response = begin_stream(&client, server, "streamer").await;
        model.received(asked_before + number).await;
        let spoken = Instant::now();
        words.send("Word".to_owned()).unwrap();
        hear_first_delta(&mut response).await;
        taken.push(spoken.elapsed());
        drop(words);
        while response.chunk().await.unwrap().is_some() {}
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
        let mut response = begin_stream(&client, server, &format!("open-{number}")).await;
        words.send("Word".to_owned()).unwrap();
        hear_first_delta(&mut response).await;
        open.push((words, response));
    }
    println!("{OPEN_STREAMS} open streams: {:+.1} MiB", server.memory() - before);
}

async fn begin_stream(client: &Client, server: &Server, user_id: &str) -> Response {
    let body = json!({"user_id": user_id, "message": "What is machine learning?", "stream": true});
    client.post(format!("{}/chat", server.url)).json(&body).send().await.unwrap()
}

async fn hear_first_delta(response: &mut Response) {
    let mut heard = String::new();
    while !heard.contains("event: delta") {
        heard.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
    }
}

fn percentile(taken: &mut [Duration], part: f64) -> Duration {
    taken.sort_unstable();
    let last = taken.len() - 1;
    taken[((last as f64) * part).round() as usize]
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
