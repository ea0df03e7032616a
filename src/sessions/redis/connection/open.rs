//! A connection that was made, and what is said through it.

use std::borrow::Cow;
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
use crate::sessions::redis::slots::Away;

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

    /// What is away when a call for `key` was not answered.
    pub(super) fn lost_with(&self, key: &str) -> Away {
        match self {
            Self::Server(_) => Away::everything(),
            Self::Cluster(_) => Away::range_of(key),
        }
    }

    /// What of `away` still takes no writes, and one of the reasons.
    pub(super) async fn still_away(&self, away: &Away, deadline: Duration) -> (Away, Option<RedisError>) {
        let checks = match self {
            Self::Server(_) => vec![(away.clone(), CHECK_KEY)],
            Self::Cluster(_) => away.ranges().collect(),
        };
        let checks = checks.into_iter().map(|(part, key)| async move {
            let written = timeout(deadline, self.clone().query::<()>(&write_to(key))).await;
            match written.unwrap_or_else(|_| Err(failure::timed_out())) {
                Err(error) if failure::is_outage(&error) => Some((part, error)),
                // Any other answer is one.
                Ok(()) | Err(_) => None,
            }
        });
        let mut still_away = (Away::default(), None);
        for (part, error) in join_all(checks).await.into_iter().flatten() {
            still_away.0.add(part);
            still_away.1 = Some(error);
        }
        still_away
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

/// The command's first argument, which is the only one that matters here.
pub(super) fn key_of(command: &Cmd) -> Cow<'_, str> {
    match command.args_iter().nth(1) {
        Some(Arg::Simple(key)) => String::from_utf8_lossy(key),
        // A cursor, which none of ours has.
        Some(_) | None => Cow::Borrowed(""),
    }
}
