//! A real Redis Cluster on loopback.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::time::Duration;

use crate::redis_server::{RedisServer, free_port, wait_until};

const SLOTS: u16 = 16_384;

/// Masters that share the slots evenly, in order; replicas are added one by one.
#[derive(Debug)]
pub(crate) struct RedisCluster {
    pub(crate) masters: Vec<RedisServer>,
    pub(crate) replicas: Vec<RedisServer>,
}

impl RedisCluster {
    /// Three masters. Their own view of who is away does not change during a test, unless it asks for that by
    /// [`RedisCluster::give_up_after`].
    pub(crate) fn start() -> Self {
        Self::start_with(3, &[])
    }

    /// `arguments` are more of redis-server's own, for every node.
    pub(crate) fn start_with(masters: u16, arguments: &[&str]) -> Self {
        let nodes: Vec<_> = (0..masters).map(|_| node(arguments)).collect();
        let width = SLOTS.div_ceil(masters);
        for (number, node) in (0..masters).zip(&nodes) {
            let (first, last) = (number * width, ((number + 1) * width).min(SLOTS) - 1);
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        let cluster = Self { masters: nodes, replicas: Vec::new() };
        for node in &cluster.masters[1..] {
            cluster.introduce(node);
        }
        cluster.wait_until_complete();
        cluster
    }

    /// Of the first master.
    pub(crate) fn add_replica(&mut self, arguments: &[&str]) {
        let replica = node(arguments);
        self.introduce(&replica);
        let id = self.masters[0].command(&["CLUSTER", "MYID"]);
        wait_until("the replica knows its master", || replica.command(&["CLUSTER", "NODES"]).contains(&id));
        replica.command(&["CLUSTER", "REPLICATE", &id]);
        wait_until("the replica is in step", || replica.info("master_link_status") == "up");
        self.replicas.push(replica);
        self.wait_until_complete();
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.masters.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The number of the slot's master, of a cluster as it was started.
    pub(crate) fn master_of(&self, key: &str) -> usize {
        let slot: u16 = self.masters[0].command(&["CLUSTER", "KEYSLOT", key]).parse().expect("a slot");
        usize::from(slot / SLOTS.div_ceil(self.masters.len().try_into().expect("few masters")))
    }

    pub(crate) fn flush(&self) {
        for master in &self.masters {
            master.command(&["FLUSHALL"]);
        }
    }

    /// From now on, the nodes that run take one for dead that is silent for so long.
    pub(crate) fn give_up_after(&self, silence: Duration) {
        let silence = silence.as_millis().to_string();
        for node in self.masters.iter().chain(&self.replicas).filter(|node| node.runs()) {
            assert_eq!(node.command(&["CONFIG", "SET", "cluster-node-timeout", &silence]), "OK");
        }
    }

    fn introduce(&self, node: &RedisServer) {
        let first = &self.masters[0];
        let bus = first.command(&["CONFIG", "GET", "cluster-port"]);
        let bus = bus.lines().last().expect("a port");
        node.command(&["CLUSTER", "MEET", "127.0.0.1", &first.port().to_string(), bus]);
    }

    /// Every node knows every other, and that each slot has a master.
    pub(crate) fn wait_until_complete(&self) {
        let nodes = self.masters.len() + self.replicas.len();
        for node in self.masters.iter().chain(&self.replicas) {
            wait_until("the cluster is complete", || {
                let info = node.command(&["CLUSTER", "INFO"]);
                let known = format!("cluster_known_nodes:{nodes}");
                info.lines().any(|line| line.trim() == known)
                    && info.lines().any(|line| line.trim() == "cluster_state:ok")
            });
        }
    }
}

fn node(arguments: &[&str]) -> RedisServer {
    let bus = free_port().to_string();
    let own = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--repl-diskless-sync-delay", "0"];
    // A replica takes over however long it was without its master before that was taken for dead.
    let unhurried = ["--cluster-node-timeout", "60000", "--cluster-replica-validity-factor", "0"];
    RedisServer::start_with(&[&own[..], &unhurried, arguments].concat())
}
