//! Memory of the RAM copies: how much more this process takes with 5,000 sessions of 20 messages in it.

use footnote::sessions::{SessionKey, SessionOptions, Sessions};

use crate::conversation::{filled, on, open, turn};
use crate::redis_server::RedisServer;

const SESSIONS: usize = 5_000;
const MESSAGES: usize = 20;

pub(crate) async fn measure(redis: &RedisServer) -> anyhow::Result<()> {
    let writing = Sessions::open(SessionOptions { ram_bytes: 0, ..SessionOptions::new(on(redis)) }).await?;
    let mut keys: Vec<SessionKey> = Vec::with_capacity(SESSIONS);
    for number in 0..SESSIONS {
        keys.push(filled(&writing, &format!("cached {number}"), MESSAGES).await?);
    }
    drop(writing);
    // Once without counting: connections and buffers come with the first read.
    let reading = open(on(redis)).await?;
    reading.load(&keys[0]).await;
    let before = resident_kib()?;
    for key in &keys {
        reading.load(key).await;
    }
    let kib = (resident_kib()? - before) as f64 * 1_000.0 / SESSIONS as f64;
    let turn = turn();
    let text = (turn.user.content.len() + turn.assistant.content.len()) * MESSAGES / 2;
    println!("\n{:<50}{:>10}", "RAM per 1,000 cached sessions of 20 messages", "MiB");
    println!(
        "{:<50}{:>10.1}\n{:<50}{:>10.1}",
        "resident",
        kib / 1024.0,
        "of which text",
        text as f64 * 1_000.0 / 1_048_576.0
    );
    Ok(())
}

/// Of this process; Linux.
fn resident_kib() -> anyhow::Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").parse()?)
}
