//! A connection that was made, and what is said through it.

use std::fmt;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{Arg, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation, Value};
use tokio::time::timeout;

use super::cluster::{self, OnMasterOf};
use crate::sessions::redis::failure;
use crate::sessions::redis::slots::{SlotRange, SlotRanges};

pub(super) const CHECK_KEY: &str = "sessions:check";

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) enum OpenConnection {
    Server(MultiplexedConnection),
    /// To all of its masters.
    Cluster(ClusterConnection),
}

impl OpenConnection {
    pub(super) async fn run<T: FromRedisValue>(self, key: &str, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        match self {
            Self::Server(mut server) => script.invoke_async(&mut server).await,
            Self::Cluster(cluster) => script.invoke_async(&mut OnMasterOf { cluster, key }).await,
        }
    }

    pub(super) async fn query<T: FromRedisValue>(self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Server(mut server) => command.query_async(&mut server).await,
            Self::Cluster(mut cluster) => command.query_async(&mut cluster).await,
        }
    }

    /// In a cluster, all keys must be in one slot.
    pub(super) async fn query_all(self, commands: &[Cmd]) -> RedisResult<Vec<Value>> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        match self {
            Self::Server(mut server) => pipeline.query_async(&mut server).await,
            Self::Cluster(mut cluster) => pipeline.query_async(&mut cluster).await,
        }
    }

    pub(super) async fn ask_masters(self, command: &Cmd) -> RedisResult<Vec<(Option<String>, RedisResult<Value>)>> {
        match self {
            Self::Server(mut server) => match command.query_async(&mut server).await {
                Err(error) if failure::is_outage(&error) => Err(error),
                answer => Ok(vec![(None, answer)]),
            },
            Self::Cluster(cluster) => cluster::ask_masters(cluster, command).await,
        }
    }

    /// Whether the error says that this connection is of no use any more, and another may be. A cluster's connection
    /// has replaced its parts by then.
    pub(super) fn is_closed(&self, error: &RedisError) -> bool {
        match self {
            Self::Server(_) => error.is_connection_dropped(),
            Self::Cluster(_) => false,
        }
    }

    /// What is away when a call to `range` was not answered.
    pub(super) fn lost_with(&self, range: SlotRange) -> SlotRanges {
        match self {
            Self::Server(_) => SlotRanges::ALL,
            Self::Cluster(_) => SlotRanges::only(range),
        }
    }

    /// Which of `away` still take no writes, and one of the reasons.
    pub(super) async fn still_away(&self, away: SlotRanges, deadline: Duration) -> (SlotRanges, Option<RedisError>) {
        let checks: Vec<(SlotRanges, String)> = match self {
            Self::Server(_) => vec![(away, CHECK_KEY.to_owned())],
            Self::Cluster(_) => away.iter().map(|range| (SlotRanges::only(range), range.check_key())).collect(),
        };
        let checks = checks.into_iter().map(|(ranges, key)| async move {
            let written = timeout(deadline, self.clone().query::<()>(&write_to(&key))).await;
            match written.unwrap_or_else(|_| Err(failure::timed_out())) {
                Err(error) if failure::is_outage(&error) => Some((ranges, error)),
                // Any other answer is one.
                Ok(()) | Err(_) => None,
            }
        });
        join_all(checks)
            .await
            .into_iter()
            .flatten()
            .fold((SlotRanges::NONE, None), |(all, _), (ranges, error)| (all.with(ranges), Some(error)))
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Server(_) => "Server",
            Self::Cluster(_) => "Cluster",
        })
    }
}

/// A replica, or a Redis that is full, answers a PING.
pub(super) fn write_to(key: &str) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(Timestamp::now().as_millisecond()).arg("PX").arg(60_000);
    command
}

/// That of the command's first argument.
pub(super) fn range_of(command: &Cmd) -> SlotRange {
    let key = match command.args_iter().nth(1) {
        Some(Arg::Simple(key)) => key,
        // A cursor, which none of ours has.
        Some(_) | None => b"",
    };
    SlotRange::of(&String::from_utf8_lossy(key))
}
