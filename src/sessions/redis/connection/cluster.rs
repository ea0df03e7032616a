//! A Redis Cluster. The library keeps the map of its slots and follows `MOVED` and `ASK`.

use redis::aio::ConnectionLike;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, ConnectionInfo, Pipeline, RedisFuture, RedisResult, Value};

use super::servers::Deadline;
use crate::sessions::redis::certificates::Certificates;
use crate::sessions::redis::slots::SlotRange;

/// How often the library tries again, and its shortest and longest pause, in milliseconds: enough to follow a key that
/// moved, or to find that all connections were closed while idle; and over before the deadline is, so that what the
/// cluster said last is known.
const RETRIES: u32 = 6;
const SHORTEST_PAUSE: u64 = 5;
const LONGEST_PAUSE: u64 = 40;

/// Connects to nothing yet.
pub(super) fn client(
    nodes: Vec<ConnectionInfo>,
    certificates: &Certificates,
    deadline: Deadline,
) -> RedisResult<ClusterClient> {
    let mut builder = ClusterClient::builder(nodes)
        // Nobody is served while the library looks for a node that has vanished: let it give up before they do.
        .connection_timeout(deadline.0 / 2)
        .response_timeout(deadline.0)
        .retries(RETRIES)
        .min_retry_wait(SHORTEST_PAUSE)
        .max_retry_wait(LONGEST_PAUSE);
    if let Some(certificates) = certificates.of_one_s_own() {
        builder = builder.certs(certificates.clone());
    }
    builder.build()
}

/// One key in each range of slots.
pub(super) fn check_keys() -> Vec<String> {
    SlotRange::all().map(SlotRange::check_key).collect()
}

/// Each master's answer, by its address.
pub(super) async fn ask_masters(
    mut cluster: ClusterConnection,
    command: &Cmd,
) -> RedisResult<Vec<(Option<String>, RedisResult<Value>)>> {
    let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let Value::Map(answers) = cluster.route_command(command.clone(), masters).await? else { return Ok(Vec::new()) };
    let answers = answers
        .into_iter()
        .map(|(address, answer)| Ok((Some(redis::from_redis_value(address)?), answer.extract_error())));
    answers.collect()
}

/// Sends all commands to the master of one key. Loading a script names no key, and the library would send it to every
/// node, of which others may be down.
pub(super) struct OnMasterOf<'key> {
    pub(super) cluster: ClusterConnection,
    pub(super) key: &'key str,
}

impl ConnectionLike for OnMasterOf<'_> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let master = SingleNodeRoutingInfo::SpecificNode(Route::with_key(self.key, SlotAddr::Master));
        Box::pin(self.cluster.route_command(command.clone(), RoutingInfo::SingleNode(master)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.cluster.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.cluster.get_db()
    }
}
