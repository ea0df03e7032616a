//! A Redis behind sentinels: they are asked where the master is, each time a connection is made.
//!
//! The protocol is that of "Guidelines for Redis clients with support for Redis Sentinel", except that all sentinels
//! are asked at once and most of them decide: one that hangs costs little then, and one that was cut off during a
//! failover cannot lead to the old master.

use std::collections::HashMap;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError, RedisResult,
};
use tokio::time::{Instant, timeout_at};

use super::open::{CHECK_KEY, write_to};
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

/// Host and port.
type Master = (String, u16);

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

    /// To a master that takes writes.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let master = self.client(self.find_master().await?)?;
        let mut connection = self.deadline.connect(&master).await?;
        match write_to(CHECK_KEY).exec_async(&mut connection).await {
            Err(error) if failure::is_outage(&error) => Err(error),
            // Any other answer is one.
            Ok(()) | Err(_) => Ok(connection),
        }
    }

    /// The one that most sentinels name. After the first answer, the others have a part of the deadline left.
    async fn find_master(&self) -> RedisResult<Master> {
        let mut answers: FuturesUnordered<_> = self.sentinels.iter().map(|sentinel| self.ask(sentinel)).collect();
        let mut votes: HashMap<Master, usize> = HashMap::new();
        let mut failure = None;
        let mut patience = Instant::now() + self.deadline.0;
        while let Ok(Some(answer)) = timeout_at(patience, answers.next()).await {
            match answer {
                Ok(master) => {
                    if votes.is_empty() {
                        patience = patience.min(Instant::now() + self.deadline.0 / 4);
                    }
                    let named = votes.entry(master.clone()).or_default();
                    *named += 1;
                    if 2 * *named > self.sentinels.len() {
                        return Ok(master);
                    }
                }
                Err(error) => failure = Some(more_telling(failure, error)),
            }
        }
        let most = votes.into_iter().max_by_key(|(_, named)| *named);
        most.map(|(master, _)| master).ok_or_else(|| failure.unwrap_or_else(failure::timed_out))
    }

    async fn ask(&self, sentinel: &Client) -> RedisResult<Master> {
        let mut connection = self.deadline.connect(sentinel).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let found: Option<Master> = question.query_async(&mut connection).await?;
        found.ok_or_else(failure::unknown_master)
    }

    fn client(&self, (host, port): Master) -> RedisResult<Client> {
        let address = if self.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        self.certificates.client(address.into_connection_info()?.set_redis_settings(self.login.clone()))
    }
}

/// A sentinel that does not know the name says more than one that is away.
fn more_telling(known: Option<RedisError>, new: RedisError) -> RedisError {
    match known {
        Some(known) if known.kind() == ErrorKind::MasterNameNotFoundBySentinel => known,
        Some(_) | None => new,
    }
}
