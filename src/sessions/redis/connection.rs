//! The connection to Redis: a deadline on every call, and a circuit breaker, so that an outage costs one deadline and
//! not one per request. Sentinel and Cluster connections will be made here.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisResult, ScriptInvocation};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::failure;
use crate::sessions::error::Error;

const FIRST_RETRY: Duration = Duration::from_millis(50);
const SLOWEST_RETRY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Connection {
    link: Arc<Link>,
    prober: JoinHandle<()>,
}

#[derive(Debug)]
struct Link {
    client: Client,
    deadline: Duration,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone)]
struct State {
    manager: ConnectionManager,
    /// Counts the managers, so that a late failure of an old one says nothing about the present one.
    generation: u64,
    reachable: bool,
}

impl Connection {
    /// Does not wait for Redis to be there.
    pub(super) fn open(url: &str, deadline: Duration) -> Result<Self, Error> {
        choose_tls_library();
        let invalid = |error: redis::RedisError| Error::InvalidUrl(Box::new(error));
        let client = Client::open(url).map_err(invalid)?;
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config(deadline)).map_err(invalid)?;
        let (state, _) = watch::channel(State { manager, generation: 0, reachable: true });
        let link = Arc::new(Link { client, deadline, state });
        let prober = tokio::spawn(reconnect_after_failures(Arc::clone(&link)));
        Ok(Self { link, prober })
    }

    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Error> {
        self.call(|mut manager| async move { script.invoke_async(&mut manager).await }).await
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.call(|mut manager| async move { command.query_async(&mut manager).await }).await
    }

    pub(super) async fn query_all<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Error> {
        self.call(|mut manager| async move { pipeline.query_async(&mut manager).await }).await
    }

    /// Runs a command, which must be safe to repeat, within the deadline. It may be sent twice, if the connection breaks: an idle one may have been
    /// closed by the server or by something between, which is no outage.
    async fn call<T, Called: Future<Output = RedisResult<T>>>(
        &self,
        command: impl Fn(ConnectionManager) -> Called,
    ) -> Result<T, Error> {
        let State { manager, generation, reachable } = self.link.state.borrow().clone();
        if !reachable {
            return Err(Error::Unavailable(None));
        }
        let attempt = async {
            match command(manager.clone()).await {
                Err(error) if error.is_connection_dropped() => command(manager).await,
                result => result,
            }
        };
        let error = match timeout(self.link.deadline, attempt).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) if !failure::is_outage(&error) => return Err(failure::explain(error)),
            Ok(Err(error)) => failure::explain(error),
            Err(_) => Error::Timeout,
        };
        Err(self.link.report_unreachable(generation, error))
    }

    /// Returns once Redis answers.
    pub(super) async fn reachable(&self) {
        // Fails only if the sender is gone, which is in `self`.
        let _ = self.link.state.subscribe().wait_for(|state| state.reachable).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.prober.abort();
    }
}

impl Link {
    /// The first to notice logs the cause; for those who were waiting at the same time it is the same outage.
    fn report_unreachable(&self, generation: u64, error: Error) -> Error {
        let first = self.state.send_if_modified(|state| {
            let first = state.reachable && state.generation == generation;
            if first {
                state.reachable = false;
            }
            first
        });
        if !first {
            return Error::Unavailable(None);
        }
        metrics::counter!("footnote_session_store_outages_total").increment(1);
        tracing::warn!(error = &error as &dyn std::error::Error, "Redis cannot be reached");
        error
    }

    async fn connect(&self) -> RedisResult<ConnectionManager> {
        let mut manager = ConnectionManager::new_with_config(self.client.clone(), config(self.deadline)).await?;
        match write_something().exec_async(&mut manager).await {
            Err(error) if failure::is_outage(&error) => Err(error),
            // Any other answer is one.
            Ok(()) | Err(_) => Ok(manager),
        }
    }
}

/// A replica, or a Redis that is full, answers a PING.
pub(super) fn write_something() -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg("sessions:check").arg(Timestamp::now().as_millisecond()).arg("PX").arg(60_000);
    command
}

/// During an outage, tries new connections until one answers. A new one each time: the old one may hang in a network
/// that lost it, where even a healthy Redis could not be seen.
async fn reconnect_after_failures(link: Arc<Link>) {
    let mut states = link.state.subscribe();
    loop {
        // Fails only if the sender is gone, which is in `link`.
        let _ = states.wait_for(|state| !state.reachable).await;
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(FIRST_RETRY)
            .with_max_delay(SLOWEST_RETRY)
            .with_jitter()
            .without_max_times()
            .build();
        let manager = loop {
            tokio::time::sleep(delays.next().unwrap_or(SLOWEST_RETRY)).await;
            match timeout(link.deadline, link.connect()).await {
                Ok(Ok(manager)) => break manager,
                Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "Redis is still away"),
                Err(_) => tracing::debug!("Redis is still silent"),
            }
        };
        tracing::info!("Redis is back");
        link.state.send_modify(|state| {
            *state = State { manager, generation: state.generation + 1, reachable: true };
        });
    }
}

/// `rediss://` takes the process's choice, and panics if there is none while two libraries are linked in.
fn choose_tls_library() {
    // Fails only if the choice was made before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// One attempt to connect per call: when to try again is decided here.
fn config(deadline: Duration) -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(deadline))
        .set_response_timeout(Some(deadline))
}
