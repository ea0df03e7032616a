//! How long after Redis' return 1,000 turns have found their way there.

use std::time::{Duration, Instant};

use footnote::sessions::{SessionOptions, Sessions};

use crate::conversation::{filled, on};
use crate::redis_server::RedisServer;

const TURNS: usize = 1_000;
const SESSIONS: usize = 50;

pub(crate) async fn measure() -> anyhow::Result<()> {
    let mut redis = RedisServer::start_with(&["--appendfsync", "everysec"]);
    let folder = tempfile::tempdir()?;
    let journal = Some(folder.path().to_owned());
    let sessions = Sessions::open(SessionOptions { journal, ..SessionOptions::new(on(&redis)) }).await?;
    filled(&sessions, "before", 2).await?;
    redis.kill();
    let begun = Instant::now();
    for session in 0..SESSIONS {
        filled(&sessions, &format!("outage {session}"), 2 * TURNS / SESSIONS).await?;
    }
    let answering = begun.elapsed();
    assert_eq!(sessions.pending_turns(), TURNS);
    redis.restart();
    let back = Instant::now();
    while sessions.pending_turns() == TURNS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let noticed = back.elapsed();
    while sessions.pending_turns() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (noticed, replayed) = (noticed.as_secs_f64() * 1e3, back.elapsed().as_secs_f64() * 1e3);
    println!("\n{:<50}{:>10}", "1,000 turns of an outage", "ms");
    println!("{:<50}{:>10.2}", "each, while Redis is away", answering.as_secs_f64() * 1e3 / TURNS as f64);
    println!("{:<50}{noticed:>10.0}", "from Redis' return to the first one there");
    println!("{:<50}{replayed:>10.0}", "from Redis' return to the last one there");
    Ok(())
}
