//! Faults of Redis itself.

use std::time::Instant;

use crate::conversations::{Conversations, Size};
use crate::stage::{Stage, eventually};

crate::faults! {
    redis_is_killed_and_restarted
    redis_is_paused
    redis_is_full
}

async fn redis_is_killed_and_restarted(size: Size) {
    let mut stage = Stage::open().await;
    let conversations = Conversations::begin(size, &stage);
    for round in [0, 2] {
        conversations.until_part(round + 1, 5).await;
        stage.redis.kill();
        conversations.until_part(round + 2, 5).await;
        stage.redis.restart();
    }
    let counts = conversations.end().await.settle("Redis killed twice", &stage).await;
    assert!(counts.acknowledged > 0 && counts.flagged > 0 && counts.failed == 0, "{counts}");
}

/// What was sent to it before it stopped, and given up since, is executed when it goes on.
async fn redis_is_paused(size: Size) {
    let stage = Stage::open().await;
    let conversations = Conversations::begin(size, &stage);
    conversations.until_part(1, 3).await;
    stage.redis.pause();
    let paused = Instant::now();
    conversations.until_part(2, 3).await;
    eventually("the pause is over", async || paused.elapsed() >= size.pause).await;
    stage.redis.resume();
    let counts = conversations.end().await.settle("Redis paused", &stage).await;
    assert!(counts.acknowledged > 0 && counts.flagged > 0 && counts.failed == 0, "{counts}");
}

async fn redis_is_full(size: Size) {
    let stage = Stage::open_with(&["--maxmemory", "16mb", "--maxmemory-policy", "noeviction"]).await;
    let conversations = Conversations::begin(size, &stage);
    conversations.until_part(1, 3).await;
    // Redis looks at its limit before a command, so that one write can take it beyond.
    let last_byte = (16 << 20).to_string();
    stage.redis.command(&["SETRANGE", "filler", &last_byte, "x"]);
    assert!(stage.redis.command(&["SET", "more", "x"]).starts_with("OOM"));
    conversations.until_part(2, 3).await;
    stage.redis.command(&["DEL", "filler"]);
    let counts = conversations.end().await.settle("Redis full", &stage).await;
    assert!(counts.acknowledged > 0 && counts.flagged > 0 && counts.failed == 0, "{counts}");
}
