//! Faults between the servers and Redis.

use crate::chaos_proxy::Network;
use crate::conversations::{Conversations, Size};
use crate::ledger::Counts;
use crate::stage::Stage;

crate::faults! {
    the_network_stalls
    the_network_resets
    no_append_hears_of_its_success
    some_appends_do_not_hear_of_their_success
    one_server_is_cut_off
}

/// Only an append contains a message.
pub(crate) const APPENDS: &str = r#""turn_id":"#;

/// What was held up arrives after it was given up, and after what was sent since.
async fn the_network_stalls(size: Size) {
    let counts = spoil(size, "network stalled", Network::Stalling).await;
    assert!(counts.flagged > 0, "{counts}");
}

async fn the_network_resets(size: Size) {
    let counts = spoil(size, "network reset", Network::Resetting).await;
    assert!(counts.flagged > 0, "{counts}");
}

/// Every attempt is executed, and none is heard of: the turns wait although they are there.
async fn no_append_hears_of_its_success(size: Size) {
    let counts = spoil(size, "all acknowledgements lost", Network::LosingReplies { to: APPENDS, one_in: 1 }).await;
    assert!(counts.flagged > 0, "{counts}");
}

/// The second attempt learns that the first was executed.
async fn some_appends_do_not_hear_of_their_success(size: Size) {
    spoil(size, "every third acknowledgement lost", Network::LosingReplies { to: APPENDS, one_in: 3 }).await;
}

/// The other one goes on with the same sessions meanwhile.
async fn one_server_is_cut_off(size: Size) {
    let stage = Stage::open().await;
    let conversations = Conversations::begin(size, &stage);
    conversations.until_part(1, 3).await;
    stage.servers[0].network.set(Network::Resetting);
    conversations.until_part(2, 3).await;
    stage.servers[0].network.set(Network::Working);
    let counts = conversations.end().await.settle("one server cut off", &stage).await;
    assert!(counts.acknowledged > 0 && counts.flagged > 0 && counts.failed == 0, "{counts}");
}

/// The network between Redis and both servers, twice.
async fn spoil(size: Size, fault: &str, network: Network) -> Counts {
    let stage = Stage::open().await;
    let conversations = Conversations::begin(size, &stage);
    for round in [0, 2] {
        conversations.until_part(round + 1, 5).await;
        stage.set_networks(network);
        conversations.until_part(round + 2, 5).await;
        stage.set_networks(Network::Working);
    }
    let counts = conversations.end().await.settle(fault, &stage).await;
    if let Network::LosingReplies { .. } = network {
        assert!(stage.servers.iter().any(|server| server.network.replies_lost() > 0), "nothing was lost");
    }
    assert!(counts.acknowledged > 0 && counts.failed == 0, "{counts}");
    counts
}
