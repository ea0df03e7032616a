//! A Redis behind sentinels: they are asked where the master is, each time a connection is made.
//!
//! The protocol is that of "Guidelines for Redis clients with support for Redis Sentinel", except that all sentinels
//! are asked at once. One that hangs costs nothing then, and one that still names the old master is outvoted by the
//! write that the old master does not take.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError, RedisResult};

use super::open::write_to;
use super::servers::Deadline;
use crate::sessions::redis::certificates::Certificates;
use crate::sessions::redis::failure;

#[derive(Debug)]
pub(super) struct Sentinels {
    sentinels: Vec<Client>,
    master: String,
    login: RedisConnectionInfo,
    certificates: Certificates,
    tls: bool,
    deadline: Deadline,
}

/// How far one sentinel led. The furthest failure says most.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    AskedSentinel,
    FoundMaster,
}

impl Sentinels {
    pub(super) fn new(
        sentinels: Vec<ConnectionInfo>,
        master: String,
        login: RedisConnectionInfo,
        certificates: Certificates,
        deadline: Deadline,
    ) -> RedisResult<Self> {
        let tls = sentinels.iter().any(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. }));
        let sentinels = sentinels.into_iter().map(|info| certificates.client(info)).collect::<RedisResult<_>>()?;
        Ok(Self { sentinels, master, login, certificates, tls, deadline })
    }

    /// To the first master that takes a write.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let mut led: FuturesUnordered<_> = self.sentinels.iter().map(|sentinel| self.through(sentinel)).collect();
        let mut failures = Vec::new();
        while let Some(led) = led.next().await {
            match led {
                Ok(connection) => return Ok(connection),
                Err(failure) => failures.push(failure),
            }
        }
        let furthest = failures.into_iter().max_by(|(step, _), (other, _)| step.cmp(other));
        // There is at least one sentinel: the URL was refused otherwise.
        Err(furthest.map_or_else(failure::timed_out, |(_, error)| error))
    }

    async fn through(&self, sentinel: &Client) -> Result<MultiplexedConnection, (Step, RedisError)> {
        let master = self.ask(sentinel).await.map_err(|error| (Step::AskedSentinel, error))?;
        let connected = async {
            let mut connection = self.deadline.connect(&master).await?;
            match write_to(super::open::CHECK_KEY).exec_async(&mut connection).await {
                Err(error) if failure::is_outage(&error) => Err(error),
                // Any other answer is one, and no other master would give a better one.
                Ok(()) | Err(_) => Ok(connection),
            }
        };
        connected.await.map_err(|error| (Step::FoundMaster, error))
    }

    async fn ask(&self, sentinel: &Client) -> RedisResult<Client> {
        let mut connection = self.deadline.connect(sentinel).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let found: Option<(String, u16)> = question.query_async(&mut connection).await?;
        let (host, port) = found.ok_or_else(failure::unknown_master)?;
        let address = if self.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        self.certificates.client(address.into_connection_info()?.set_redis_settings(self.login.clone()))
    }
}
