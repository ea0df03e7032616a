//! One warm read against a bare PING on a connection of the same kind, and the bytes that it costs.

use footnote::sessions::{SessionKey, Sessions};

use crate::conversation::{filled, medians, microseconds, on, open, timed};
use crate::redis_server::RedisServer;

const ROUNDS: usize = 3_000;

pub(crate) async fn measure(redis: &RedisServer) -> anyhow::Result<()> {
    let sessions = open(on(redis)).await?;
    let key = filled(&sessions, "warm", 40).await?;
    let client = redis::Client::open(redis.url())?;
    let connection = client.get_multiplexed_async_connection().await?;
    let ping = async || {
        let mut connection = connection.clone();
        redis::cmd("PING").exec_async(&mut connection).await.expect("Redis is there");
    };
    let [bare, warm] = medians(ROUNDS, async |thing| match thing {
        0 => timed(ping()).await.0,
        _ => timed(sessions.load(&key)).await.0,
    })
    .await
    .map(microseconds);
    println!("\n{:<34}{:>10}", "one round trip", "µs");
    println!(
        "{:<34}{bare:>10.1}\n{:<34}{warm:>10.1}\n{:<34}{:>10.2}",
        "PING",
        "warm read of 40 messages",
        "ratio",
        warm / bare
    );

    let (sent, received) = bytes(redis, &sessions, &key).await;
    println!("{:<34}{sent:>10.0}\n{:<34}{received:>10.0}", "bytes to Redis", "bytes from Redis");
    Ok(())
}

/// Per warm read.
async fn bytes(redis: &RedisServer, sessions: &Sessions, key: &SessionKey) -> (f64, f64) {
    let counter = |name: &str| -> f64 {
        let statistics = redis.command(&["INFO", "stats"]);
        let line = statistics.lines().find_map(|line| line.strip_prefix(name)).expect("Redis counts it");
        line.trim().parse().expect("it is a number")
    };
    let names = ["total_net_input_bytes:", "total_net_output_bytes:"];
    // What it costs to ask, which the difference would hold otherwise.
    let [first, second] = [(); 2].map(|()| names.map(counter));
    for _ in 0..ROUNDS {
        sessions.load(key).await;
    }
    let last = names.map(counter);
    let [sent, received] = [0, 1].map(|way| (last[way] - second[way] - (second[way] - first[way])) / ROUNDS as f64);
    (sent, received)
}
