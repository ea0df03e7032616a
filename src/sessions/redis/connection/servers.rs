//! The kinds of Redis, and how each is reached.

use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::{AsyncConnectionConfig, Client, RedisResult};

use super::cluster;
use super::open::OpenConnection;
use super::sentinel::Sentinels;
use crate::sessions::redis::address::Address;
use crate::sessions::redis::certificates::Certificates;

#[derive(Debug)]
pub(super) enum Servers {
    Single(Client, Deadline),
    Sentinel(Sentinels),
    Cluster(ClusterClient),
}

/// That of each step of connecting: reaching the server, and each answer from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Duration);

impl Servers {
    pub(super) fn new(address: Address, certificates: Certificates, deadline: Duration) -> RedisResult<Self> {
        let deadline = Deadline(deadline);
        match address {
            Address::Server(info) => Ok(Self::Single(certificates.client(info)?, deadline)),
            Address::Sentinel { sentinels, master, login } => {
                Sentinels::new(sentinels, master, login, certificates, deadline).map(Self::Sentinel)
            }
            Address::Cluster(nodes) => cluster::client(nodes, &certificates, deadline).map(Self::Cluster),
        }
    }

    /// A new connection. For a Redis behind sentinels, to a master that takes writes.
    pub(super) async fn connect(&self) -> RedisResult<OpenConnection> {
        match self {
            Self::Single(client, deadline) => deadline.connect(client).await.map(OpenConnection::Server),
            Self::Sentinel(sentinels) => sentinels.connect().await.map(OpenConnection::Server),
            Self::Cluster(client) => client.get_async_connection().await.map(OpenConnection::Cluster),
        }
    }

    /// What a check must write to, to reach every master.
    pub(super) fn check_keys(&self) -> Vec<String> {
        match self {
            Self::Single(..) | Self::Sentinel(_) => vec![super::open::CHECK_KEY.to_owned()],
            Self::Cluster(_) => cluster::check_keys(),
        }
    }
}

impl Deadline {
    pub(super) async fn connect(self, client: &Client) -> RedisResult<redis::aio::MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(self.0)).set_response_timeout(Some(self.0));
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}
