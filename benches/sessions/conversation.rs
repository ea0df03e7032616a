//! Conversations of ordinary size, and how long something takes.

use std::time::{Duration, Instant};

use footnote::sessions::{SessionKey, SessionOptions, Sessions, StoreChoice, Turn};
use footnote_knowledge::secret::Secret;
use jiff::Timestamp;

use crate::redis_server::RedisServer;

/// A question of 104 bytes and an answer of 1,120.
pub(crate) fn turn() -> Turn {
    let now = Timestamp::now();
    Turn::new(now, "What is machine learning? ".repeat(4), now, "Machine learning is … [1] ".repeat(40), Vec::new())
}

/// No call here is to fail because the machine is busy.
pub(crate) fn on(redis: &RedisServer) -> StoreChoice {
    StoreChoice::Redis { url: Secret::new(redis.url()), ca: None, timeout: Duration::from_secs(5) }
}

/// Enough room for everything that is measured.
pub(crate) async fn open(store: StoreChoice) -> anyhow::Result<Sessions> {
    let options = SessionOptions { max_messages: 100_000, ram_bytes: 1 << 30, ..SessionOptions::new(store) };
    Ok(Sessions::open(options).await?)
}

pub(crate) async fn filled(sessions: &Sessions, id: &str, messages: usize) -> anyhow::Result<SessionKey> {
    let key = SessionKey::new(id)?;
    let mut seen = sessions.load(&key).await.seen;
    for number in 0..messages / 2 {
        sessions.append(&key, seen, turn()).await;
        if number == 0 {
            seen = sessions.load(&key).await.seen;
        }
    }
    Ok(key)
}

/// The medians of things done in turns, each `rounds` times.
pub(crate) async fn medians<const THINGS: usize>(
    rounds: usize,
    mut run: impl AsyncFnMut(usize) -> Duration,
) -> [Duration; THINGS] {
    let mut times = [const { Vec::new() }; THINGS];
    for _ in 0..rounds {
        for (thing, times) in times.iter_mut().enumerate() {
            times.push(run(thing).await);
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[rounds / 2]
    })
}

pub(crate) async fn timed<Output>(work: impl Future<Output = Output>) -> (Duration, Output) {
    let begun = Instant::now();
    let output = work.await;
    (begun.elapsed(), output)
}

pub(crate) fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
