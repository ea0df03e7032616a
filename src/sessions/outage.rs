//! What becomes of a turn while the store is down: it waits, in memory and in the journal. When it is sent is told in
//! [`super::replay`].

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::error::Error;
use super::journal::{Journal, LeftTurn};
use super::key::SessionKey;
use super::pending::{PendingTurns, Waiting};
use super::session::Saved;
use super::store::Append;
use super::{Inner, count_lost_turn, in_memory, log};

impl Inner {
    /// In an outage. A turn of a damaged session would wait in vain.
    pub(super) async fn keep_for_later(&self, key: &SessionKey, append: Append, error: &Error) -> Saved {
        log(error, "cannot save a turn");
        let append = Append { waiting_since: Some(Timestamp::now()), ..append };
        let lost = !error.is_outage() || !self.pending.has_room(&append);
        if !error.is_outage() {
            count_lost_turn("damaged");
        } else if lost {
            count_lost_turn("no_room");
            tracing::error!("no room is left for turns that wait for the session store: a turn is lost");
        } else {
            let position = self.journal(key, &append).await;
            self.pending.push(key, Waiting { append: Arc::new(append), position });
        }
        let stored = self.ram.get(key).await.map_or(0, |copy| copy.seq());
        let waiting = self.pending.messages(key).len() as u64;
        Saved { lost, ..in_memory(stored + waiting) }
    }

    /// A turn that cannot be journaled waits in memory all the same.
    async fn journal(&self, key: &SessionKey, append: &Append) -> Option<u64> {
        match self.journal.as_ref()?.write(key, append).await {
            Ok(position) => Some(position),
            Err(error) => {
                metrics::counter!("footnote_session_journal_failures_total").increment(1);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot write the journal: a turn waits for the session store in memory only"
                );
                None
            }
        }
    }
}

/// The turns that an earlier process left are the first to wait.
pub(super) async fn open_journal(folder: PathBuf, pending: &PendingTurns) -> Result<Journal, Error> {
    let opened = tokio::task::spawn_blocking(move || Journal::open(&folder)).await;
    let (journal, turns) = opened.unwrap_or_else(|panic| Err(Error::Failed(Box::new(panic))))?;
    if !turns.is_empty() {
        tracing::info!(turns = turns.len(), "the journal has turns that wait for the session store");
    }
    for LeftTurn { position, key, append } in turns {
        pending.push(&key, Waiting { append: Arc::new(append), position: Some(position) });
    }
    Ok(journal)
}
