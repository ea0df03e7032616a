//! Appending the turns that waited for the store, once, in order: before anything else happens to their session, and in
//! the background as soon as the store is back.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::task::JoinHandle;

use super::error::Error;
use super::key::SessionKey;
use super::pending::Waiting;
use super::store::{Append, Appended, TOMBSTONE_LIFE};
use super::{Inner, count_lost_turn, log};

/// Between attempts, while the store is reachable but takes no turns: the first delay doubles up to the longest.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// Sessions whose turns are sent at the same time: each waits for a round trip, and all share one connection.
const AT_ONCE: usize = 16;
const LONGEST_DELAY: Duration = Duration::from_secs(5);

impl Inner {
    /// Appends what waits for this session. The caller holds the session's lock.
    pub(super) async fn replay(&self, key: &SessionKey) -> Result<(), Error> {
        while let Some(append) = self.pending.oldest(key) {
            if self.is_expired(&append) {
                self.give_up(key, "expired");
                continue;
            }
            if append.waited() >= TOMBSTONE_LIFE {
                // Nobody knows any more whether the session was deleted meanwhile.
                self.give_up(key, "too_old");
                continue;
            }
            match self.store.append(key, &append).await {
                Ok(Appended::Saved { epoch, seq, trimmed }) => {
                    self.remove_oldest(key);
                    self.saved(key, &append, epoch, seq, trimmed).await;
                }
                Ok(Appended::Repeated { seq }) => {
                    self.remove_oldest(key);
                    self.saved_before(key, &append, seq).await;
                }
                Ok(Appended::Superseded { .. }) => self.give_up(key, "superseded"),
                Ok(Appended::Deleted) => self.give_up(key, "deleted"),
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    log(&error, "cannot save a turn that waited");
                    self.give_up(key, "damaged");
                }
            }
        }
        Ok(())
    }

    /// Appends what waits for any session. A failure in one does not keep the others waiting.
    pub(super) async fn replay_all(&self) {
        let replaying = stream::iter(self.pending.sessions()).map(|key| async move {
            let _lock = self.locks.lock(&key).await;
            self.replay(&key).await.err()
        });
        let failures: Vec<_> = replaying.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
        if let Some(error) = failures.last() {
            log(error, "cannot save the turns that wait");
        }
    }

    /// A session would have ended its life by now if the turn had been saved at its time.
    fn is_expired(&self, append: &Append) -> bool {
        self.ttl.is_some_and(|ttl| append.waited() >= ttl)
    }

    fn give_up(&self, key: &SessionKey, reason: &'static str) {
        self.remove_oldest(key);
        count_lost_turn(reason);
    }

    fn remove_oldest(&self, key: &SessionKey) {
        if let Some(removed) = self.pending.remove_oldest(key) {
            self.forget_journaled(&[removed]);
        }
    }

    /// After turns were removed from those that wait.
    pub(super) fn forget_journaled(&self, removed: &[Waiting]) {
        let Some(journal) = &self.journal else { return };
        removed.iter().filter_map(|waiting| waiting.position).for_each(|position| journal.remove(position));
    }
}

/// The background task; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Replayer(JoinHandle<()>);

impl Replayer {
    pub(super) fn start(inner: &Arc<Inner>) -> Self {
        Self(tokio::spawn(run(Arc::clone(inner))))
    }
}

impl Drop for Replayer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(inner: Arc<Inner>) {
    loop {
        inner.pending.any().await;
        let mut delay = FIRST_DELAY;
        while inner.pending.fill().turns > 0 {
            inner.store.reachable().await;
            inner.replay_all().await;
            if inner.pending.fill().turns > 0 {
                tokio::time::sleep(delay).await;
                delay = (2 * delay).min(LONGEST_DELAY);
            }
        }
    }
}
