//! A server gets SIGKILL, and is started again on its data folder.

use crate::chaos_proxy::Network;
use crate::conversations::{Conversations, Size};
use crate::network::APPENDS;
use crate::stage::{Stage, eventually};

crate::faults! {
    a_server_is_killed
    a_server_with_waiting_turns_is_killed
    a_server_is_killed_while_it_replays
}

async fn a_server_is_killed(size: Size) {
    let mut stage = Stage::open().await;
    let conversations = Conversations::begin(size, &stage);
    for part in [1, 2] {
        conversations.until_part(part, 3).await;
        stage.servers[0].kill();
        stage.servers[0].restart();
    }
    let counts = conversations.end().await.settle("server killed twice", &stage).await;
    assert!(counts.acknowledged > 0, "{counts}");
}

/// Its successor has them from the disk, with Redis still away; new ones queue behind them.
async fn a_server_with_waiting_turns_is_killed(size: Size) {
    let mut stage = Stage::open().await;
    let conversations = Conversations::begin(size, &stage);
    conversations.until_part(1, 5).await;
    stage.redis.kill();
    conversations.until_part(2, 5).await;
    conversations.until("turns wait on the server", |progress| progress.flagged[0] > 0).await;
    stage.servers[0].kill();
    stage.servers[0].restart();
    conversations.until_part(3, 5).await;
    stage.redis.restart();
    let counts = conversations.end().await.settle("server killed with waiting turns", &stage).await;
    assert!(counts.acknowledged > 0 && counts.flagged > 0, "{counts}");
}

/// Of what waited, a part is in Redis by then, and the server never heard of it: its successor sends it again.
async fn a_server_is_killed_while_it_replays(size: Size) {
    let mut stage = Stage::open().await;
    let conversations = Conversations::begin(size, &stage);
    conversations.until_part(1, 5).await;
    stage.redis.kill();
    conversations.until_part(3, 5).await;
    conversations.until("turns wait on the server", |progress| progress.flagged[0] > 0).await;
    stage.servers[0].network.set(Network::LosingReplies { to: APPENDS, one_in: 1 });
    stage.redis.restart();
    eventually("turns are replayed", async || stage.servers[0].network.replies_lost() > 0).await;
    stage.servers[0].kill();
    stage.servers[0].network.set(Network::Working);
    stage.servers[0].restart();
    let counts = conversations.end().await.settle("server killed while it replayed", &stage).await;
    assert!(counts.acknowledged > 0 && counts.flagged > 0, "{counts}");
}
