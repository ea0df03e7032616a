//! The connection in use, whether there is an outage, and who ends it.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use redis::{Cmd, RedisError, RedisResult};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::open::{CHECK_KEY, OpenConnection, write_to};
use super::servers::Servers;
use crate::sessions::error::Error;
use crate::sessions::redis::failure;
use crate::sessions::redis::slots::Away;

const FIRST_RETRY: Duration = Duration::from_millis(50);
const SLOWEST_RETRY: Duration = Duration::from_secs(2);

/// At most so many answers are waited for, one after the other, to make a connection: a sentinel's connection and
/// answer, the master's connection and its answer to a write.
const STEPS: u32 = 4;

#[derive(Debug)]
pub(super) struct Link {
    servers: Servers,
    deadline: Duration,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone)]
struct State {
    /// `None` before the first one, and while a closed one is replaced: whoever needs it waits.
    open: Option<OpenConnection>,
    /// Counts the connections, so that a late failure of an old one says nothing about the present one.
    generation: u64,
    /// What does not answer: whoever needs it is told so, and does not wait.
    away: Away,
    /// Why, as long as anything is away.
    reason: Option<RedisError>,
}

impl Link {
    /// [`keep_connected`] is to be run beside it.
    pub(super) fn new(servers: Servers, deadline: Duration) -> Self {
        let (state, _) = watch::channel(State { open: None, generation: 0, away: Away::default(), reason: None });
        Self { servers, deadline, state }
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(super) fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }

    pub(super) fn fails_over(&self) -> bool {
        !matches!(self.servers, Servers::Single(..))
    }

    /// Commands that find out whether every master takes writes.
    pub(super) fn checks(&self) -> Vec<Cmd> {
        self.servers.check_keys().iter().map(|key| write_to(key)).collect()
    }

    /// The connection to send to, and which one it is. An outage that was known before is not explained again.
    pub(super) async fn open(&self, key: &str, generation: &mut u64) -> Result<OpenConnection, Error> {
        if self.state.borrow().away.has(key) {
            return Err(Error::Unavailable(None));
        }
        let mut states = self.state.subscribe();
        // Fails only if the sender is gone, which is in `self`.
        let Ok(state) = states.wait_for(|state| state.open.is_some() || state.away.has(key)).await else {
            return Err(Error::Unavailable(None));
        };
        *generation = state.generation;
        match (&state.open, &state.reason) {
            (_, Some(reason)) if state.away.has(key) => Err(failure::explain(reason.clone())),
            (Some(open), _) => Ok(open.clone()),
            (None, _) => Err(Error::Unavailable(None)),
        }
    }

    /// The connection is closed, and nothing is known of Redis yet.
    pub(super) fn replace(&self, generation: u64) {
        self.state.send_if_modified(|state| {
            let present = state.generation == generation && state.open.is_some();
            if present {
                state.open = None;
            }
            present
        });
    }

    /// The first to notice gets the cause; for those who were waiting at the same time it is the same outage.
    pub(super) fn note_outage(&self, generation: u64, key: &str, error: RedisError) -> Error {
        let mut begun = false;
        let first = self.state.send_if_modified(|state| {
            let first = state.generation == generation && !state.away.has(key);
            if first {
                begun = state.away.is_nothing();
                state.away.add(state.open.as_ref().map_or_else(Away::everything, |open| open.lost_with(key)));
                state.reason = Some(error.clone());
            }
            first
        });
        if !first {
            return Error::Unavailable(None);
        }
        let error = failure::explain(error);
        if begun {
            metrics::counter!("footnote_session_store_outages_total").increment(1);
            tracing::warn!(error = &error as &dyn std::error::Error, "Redis takes no turns; they wait until it does");
        }
        error
    }

    /// What the present outage is about.
    pub(super) fn reason(&self) -> Error {
        let reason = self.state.borrow().reason.clone();
        reason.map_or(Error::Unavailable(None), failure::explain)
    }

    pub(super) async fn reachable(&self) {
        let mut states = self.state.subscribe();
        // Fails only if the sender is gone, which is in `self`.
        let _ = states.wait_for(|state| state.open.is_some() && !state.away.is_everything()).await;
    }

    async fn connect(&self) -> RedisResult<OpenConnection> {
        timeout(STEPS * self.deadline, self.servers.connect()).await.unwrap_or_else(|_| Err(failure::timed_out()))
    }

    /// While others wait for it. If they have given up by then, it is an outage.
    async fn connect_anew(&self) {
        let generation = self.generation();
        match self.connect().await {
            Ok(open) => {
                self.state.send_if_modified(|state| {
                    let in_time = state.away.is_nothing();
                    if in_time {
                        state.open = Some(open);
                        state.generation += 1;
                    }
                    in_time
                });
            }
            Err(error) => {
                self.note_outage(generation, CHECK_KEY, error);
            }
        }
    }

    /// One attempt to end the outage. A new connection each time: the old one may hang in a network that lost it,
    /// where even a healthy Redis could not be seen. A cluster's old one is tried too, as it may know nodes that the
    /// URL does not name.
    async fn try_again(&self) -> RedisResult<()> {
        let State { open: old, away, .. } = self.state.borrow().clone();
        let open = match (self.connect().await, old) {
            (Ok(open), _) | (Err(_), Some(open @ OpenConnection::Cluster(_))) => open,
            (Err(error), _) => return Err(error),
        };
        let (still_away, error) = open.still_away(&away, self.deadline).await;
        let back = away.without(&still_away);
        if !back.is_nothing() {
            self.state.send_modify(|state| {
                state.open = Some(open);
                state.generation += 1;
                state.away = state.away.without(&back);
                if state.away.is_nothing() {
                    state.reason = None;
                }
            });
        }
        error.map_or(Ok(()), Err)
    }

    async fn end_outage(&self) {
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(FIRST_RETRY)
            .with_max_delay(SLOWEST_RETRY)
            .with_jitter()
            .without_max_times()
            .build();
        let mut known = self.state.borrow().reason.clone();
        while !self.state.borrow().away.is_nothing() {
            sleep(delays.next().unwrap_or(SLOWEST_RETRY)).await;
            let Err(error) = self.try_again().await else { continue };
            // Refused connections, then a Redis that loads its data: each is said once.
            if !known.is_some_and(|known| failure::are_alike(&known, &error)) {
                let error = failure::explain(error.clone());
                tracing::warn!(error = &error as &dyn std::error::Error, "Redis still takes no turns");
            }
            known = Some(error.clone());
            self.state.send_if_modified(|state| {
                state.reason = Some(error);
                false
            });
        }
        tracing::info!("Redis is back");
    }
}

/// Makes the connection whenever there is none, and during an outage tries until Redis answers.
pub(super) async fn keep_connected(link: Arc<Link>) {
    let mut states = link.state.subscribe();
    loop {
        let needed = states.wait_for(|state| state.open.is_none() || !state.away.is_nothing()).await;
        // Fails only if the sender is gone, which is in `link`.
        let Ok(outage) = needed.map(|state| !state.away.is_nothing()) else { return };
        if outage {
            link.end_outage().await;
        } else {
            link.connect_anew().await;
        }
    }
}
