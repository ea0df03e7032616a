//! What keeping conversations costs.
//!
//! `cargo bench --bench sessions`, with `redis-server` installed; `cargo bench --bench sessions -- length` runs one part
//! of `ram`, `length`, `round-trip`, `throughput`, `replay`. What is compared is measured in turns, so that it sees the
//! same machine; the absolute figures depend on it.

mod conversation;
mod length;
mod ram;
#[path = "../../tests/support/redis_server.rs"]
mod redis_server;
mod replay;
mod round_trip;
mod throughput;

use redis_server::RedisServer;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds --bench.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runs = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    // As in docker-compose.yml.
    let redis = RedisServer::start_with(&["--appendfsync", "everysec"]);
    // First: memory that other parts have given back would be taken again and not be seen.
    if runs("ram") {
        ram::measure(&redis).await?;
    }
    if runs("length") {
        length::measure(&redis).await?;
    }
    if runs("round-trip") {
        round_trip::measure(&redis).await?;
    }
    if runs("throughput") {
        throughput::measure(&redis).await?;
    }
    if runs("replay") {
        replay::measure().await?;
    }
    Ok(())
}
