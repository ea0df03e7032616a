//! Turns per second with so many sessions at once; each turn is a read and an append.

use std::time::Instant;

use footnote::sessions::{SessionKey, Sessions, StoreChoice};

use crate::conversation::{on, open, turn};
use crate::redis_server::RedisServer;

const TURNS: usize = 8_000;

pub(crate) async fn measure(redis: &RedisServer) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    println!("\n{:<10}{:>18}{:>12}", "store", "sessions at once", "turns/s");
    for (name, store) in
        [("redis", on(redis)), ("embedded", StoreChoice::Embedded { data_dir: folder.path().to_owned() })]
    {
        let sessions = open(store).await?;
        for at_once in [1, 8, 64] {
            println!("{name:<10}{at_once:>18}{:>12.0}", turns_per_second(&sessions, at_once).await?);
        }
        sessions.shutdown().await;
    }
    Ok(())
}

async fn turns_per_second(sessions: &Sessions, at_once: usize) -> anyhow::Result<f64> {
    let turns_each = TURNS / at_once;
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
