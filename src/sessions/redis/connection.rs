//! Calls to Redis, of whatever kind: a deadline on each, and a circuit breaker, so that an outage costs one deadline and
//! not one per request.
//!
//! [`servers`] knows the kinds of Redis and how each is reached, [`open`] what can be said to one that was reached,
//! [`link`] which connection is in use and whether there is an outage.

mod cluster;
mod link;
mod open;
mod sentinel;
mod servers;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use footnote_knowledge::tls;
use futures::future::{join_all, try_join_all};
use redis::{Cmd, FromRedisValue, RedisResult, ScriptInvocation, Value};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::address::{Address, InvalidAddress};
use super::certificates::Certificates;
use super::failure;
use crate::sessions::error::Error;
use link::Link;
use open::OpenConnection;
use servers::Servers;

#[derive(Debug)]
pub(super) struct Connection {
    link: Arc<Link>,
    keeper: JoinHandle<()>,
}

impl Connection {
    /// Does not wait for Redis to be there.
    pub(super) fn open(address: Address, certificates: Certificates, deadline: Duration) -> Result<Self, Error> {
        tls::choose_library();
        if certificates.of_one_s_own().is_some() && !address.is_tls() {
            return Err(Error::InvalidUrl(Box::new(InvalidAddress::CaWithoutTls)));
        }
        let servers = Servers::new(address, certificates, deadline)
            .map_err(|error| Error::InvalidUrl(Box::new(InvalidAddress::Unreadable(error))))?;
        let link = Arc::new(Link::new(servers, deadline));
        let keeper = tokio::spawn(link::keep_connected(Arc::clone(&link)));
        Ok(Self { link, keeper })
    }

    /// Runs a script, all keys of which are in the slot of `key`.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        key: impl Display,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Error> {
        let key = key.to_string();
        self.call(&key, |open| open.run(&key, script)).await
    }

    /// Runs a command whose first argument is its only key.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.call(&open::key_of(command), |open| open.query(command)).await
    }

    /// Runs commands as [`Connection::query`] does, all at once: in a cluster their keys may be on different nodes.
    pub(super) async fn query_all(&self, commands: &[Cmd]) -> Result<Vec<Value>, Error> {
        let Some(first) = commands.first() else { return Ok(Vec::new()) };
        if self.link.is_cluster() {
            return try_join_all(commands.iter().map(|command| self.query(command))).await;
        }
        self.call(&open::key_of(first), |open| open.query_all(commands)).await
    }

    /// Asks every master, of which a cluster has several and other kinds have one. Each answer comes with the address
    /// of who gave it, where there are several.
    pub(super) async fn ask_masters(&self, command: &Cmd) -> Result<Vec<(Option<String>, RedisResult<Value>)>, Error> {
        self.call(open::CHECK_KEY, |open| open.ask_masters(command)).await
    }

    /// Whether every master takes writes now; if not, the reason, also of an outage that was noticed earlier.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let checks = self.link.checks();
        let results = join_all(checks.iter().map(|command| self.query::<()>(command))).await;
        results.into_iter().collect::<Result<(), Error>>().map_err(|error| match error {
            Error::Unavailable(None) => self.link.reason(),
            other => other,
        })
    }

    /// Whether another server takes a master's place when it dies.
    pub(super) fn fails_over(&self) -> bool {
        self.link.fails_over()
    }

    /// Returns once Redis answers, or a part of a cluster does.
    pub(super) async fn reachable(&self) {
        self.link.reachable().await;
    }

    /// Runs a command within the deadline. It must be safe to repeat: it is sent again if the connection turns out to
    /// be closed, since an idle one may have been closed by the server or by something between, which is no outage.
    async fn call<T, Called: Future<Output = RedisResult<T>>>(
        &self,
        key: &str,
        command: impl Fn(OpenConnection) -> Called,
    ) -> Result<T, Error> {
        let mut generation = self.link.generation();
        let attempt = async {
            let open = self.link.open(key, &mut generation).await?;
            let result = command(open.clone()).await;
            let Err(error) = &result else { return Ok(result) };
            if !open.is_closed(error) {
                return Ok(result);
            }
            self.link.replace(generation);
            Ok(command(self.link.open(key, &mut generation).await?).await)
        };
        let error = match timeout(self.link.deadline(), attempt).await {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(error))) if !failure::is_outage(&error) => return Err(failure::explain(error)),
            Ok(Ok(Err(error))) => error,
            Ok(Err(known)) => return Err(known),
            Err(_) => failure::timed_out(),
        };
        Err(self.link.note_outage(generation, key, error))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
