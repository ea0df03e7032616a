//! What loading and saving a session costs, on every store, short and long sessions beside each other in one run.
//!
//! `cargo bench --bench sessions`, with `redis-server` installed. Prints medians in microseconds; the ratio is that of
//! the long session to the short one and should stay within 1.2.

#[path = "../tests/support/redis_server.rs"]
mod redis_server;

use std::time::{Duration, Instant};

use footnote::sessions::{SessionKey, SessionOptions, Sessions, StoreChoice, Turn};
use footnote_knowledge::secret::Secret;
use jiff::Timestamp;
use redis_server::RedisServer;

const SHORT: usize = 10;
const LONG: usize = 10_000;
const ROUNDS: usize = 300;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // As in docker-compose.yml.
    let redis = RedisServer::start_with(&["--appendfsync", "everysec"]);
    let folder = tempfile::tempdir()?;
    let redis_store =
        || StoreChoice::Redis { url: Secret::new(redis.url()), ca: None, timeout: Duration::from_secs(5) };
    let stores = [
        ("memory", StoreChoice::Memory),
        ("embedded", StoreChoice::Embedded { data_dir: folder.path().to_owned() }),
        ("redis", redis_store()),
    ];

    println!("{:<10}{:<26}{:>12}{:>12}{:>8}", "store", "operation", "short, µs", "long, µs", "ratio");
    for (name, store) in stores {
        let options = SessionOptions { max_messages: 2 * LONG, ram_bytes: 1 << 30, ..SessionOptions::new(store) };
        let sessions = Sessions::open(options).await?;
        let keys = [filled(&sessions, "short", SHORT).await?, filled(&sessions, "long", LONG).await?];
        let append = async |key: &SessionKey| {
            let seen = sessions.load(key).await.seen;
            let begun = Instant::now();
            sessions.append(key, seen, turn()).await;
            begun.elapsed()
        };
        report(name, "append", &keys, append).await;
        let load = async |key: &SessionKey| {
            let begun = Instant::now();
            let loaded = sessions.load(key).await;
            assert!(!loaded.messages.is_empty());
            begun.elapsed()
        };
        report(name, "load, warm", &keys, load).await;
        let check = async |_: &SessionKey| {
            let begun = Instant::now();
            sessions.check().await.expect("the store is there");
            begun.elapsed()
        };
        report(name, "check", &keys, check).await;
        sessions.shutdown().await;
    }

    let cold = Sessions::open(SessionOptions { ram_bytes: 0, ..SessionOptions::new(redis_store()) }).await?;
    let keys = ["short", "long"].map(|id| SessionKey::new(id).expect("it is valid"));
    let load = async |key: &SessionKey| {
        let begun = Instant::now();
        let loaded = cold.load(key).await;
        assert!(!loaded.messages.is_empty());
        begun.elapsed()
    };
    report("redis", "load, not in RAM", &keys, load).await;

    println!("\n{:<10}{:>10}{:>14}", "store", "sessions", "turns/s");
    for (name, store) in
        [("redis", redis_store()), ("embedded", StoreChoice::Embedded { data_dir: folder.path().join("2") })]
    {
        let sessions = Sessions::open(SessionOptions::new(store)).await?;
        for at_once in [1, 8, 64] {
            println!("{name:<10}{at_once:>10}{:>14.0}", turns_per_second(&sessions, at_once).await?);
        }
        sessions.shutdown().await;
    }
    Ok(())
}

async fn filled(sessions: &Sessions, id: &str, messages: usize) -> anyhow::Result<SessionKey> {
    let key = SessionKey::new(id)?;
    let mut seen = sessions.load(&key).await.seen;
    for _ in 0..messages / 2 {
        sessions.append(&key, seen, turn()).await;
        seen = sessions.load(&key).await.seen;
    }
    Ok(key)
}

/// Takes turns between the two sessions, so that both see the same machine.
async fn report(store: &str, operation: &str, keys: &[SessionKey; 2], run: impl AsyncFn(&SessionKey) -> Duration) {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (key, times) in keys.iter().zip(&mut times) {
            times.push(run(key).await);
        }
    }
    let [short, long] = times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e6
    });
    println!("{store:<10}{operation:<26}{short:>12.1}{long:>12.1}{:>8.2}", long / short);
}

/// Each turn is a load and an append.
async fn turns_per_second(sessions: &Sessions, at_once: usize) -> anyhow::Result<f64> {
    let turns_each = 4000 / at_once;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..at_once {
        let (sessions, key) = (sessions.clone(), SessionKey::new(&format!("{at_once} {number}"))?);
        tasks.push(tokio::spawn(async move {
            for _ in 0..turns_each {
                let seen = sessions.load(&key).await.seen;
                assert!(sessions.append(&key, seen, turn()).await.persisted);
            }
        }));
    }
    for task in tasks {
        task.await?;
    }
    Ok((turns_each * at_once) as f64 / begun.elapsed().as_secs_f64())
}

/// Of ordinary size.
fn turn() -> Turn {
    let now = Timestamp::now();
    Turn::new(now, "What is machine learning? ".repeat(4), now, "Machine learning is … [1] ".repeat(40), Vec::new())
}
