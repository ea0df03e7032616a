//! Turns that were answered while the store was down. They wait here, in order, to be appended when it is back.
//!
//! Who appends them, and when, is in [`super::replay`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::key::SessionKey;
use super::message::Message;
use super::store::Append;

#[derive(Debug)]
pub(super) struct PendingTurns {
    queues: Mutex<Queues>,
    added: Notify,
    bytes_limit: usize,
}

#[derive(Debug, Default)]
struct Queues {
    by_session: HashMap<SessionKey, VecDeque<Arc<Append>>>,
    turns: usize,
    bytes: usize,
}

/// There is no room for the turn: it is not going to be saved.
#[derive(Debug)]
pub(super) struct NoRoom;

impl PendingTurns {
    pub(super) fn new(bytes_limit: usize) -> Self {
        Self { queues: Mutex::default(), added: Notify::new(), bytes_limit }
    }

    pub(super) fn push(&self, key: &SessionKey, append: Append) -> Result<(), NoRoom> {
        let bytes = append.bytes();
        let mut queues = self.lock();
        if queues.bytes + bytes > self.bytes_limit {
            return Err(NoRoom);
        }
        queues.by_session.entry(key.clone()).or_default().push_back(Arc::new(append));
        queues.turns += 1;
        queues.bytes += bytes;
        report(&queues);
        drop(queues);
        self.added.notify_one();
        Ok(())
    }

    pub(super) fn oldest(&self, key: &SessionKey) -> Option<Arc<Append>> {
        self.lock().by_session.get(key)?.front().cloned()
    }

    /// Removes the turn that [`PendingTurns::oldest`] gave.
    pub(super) fn remove_oldest(&self, key: &SessionKey) {
        let mut queues = self.lock();
        let Some(queue) = queues.by_session.get_mut(key) else { return };
        let removed = queue.pop_front();
        if queue.is_empty() {
            queues.by_session.remove(key);
        }
        queues.forget(removed.as_slice());
        report(&queues);
    }

    /// Removes all turns of a session; says how many there were.
    pub(super) fn clear(&self, key: &SessionKey) -> usize {
        let mut queues = self.lock();
        let removed = queues.by_session.remove(key).unwrap_or_default();
        queues.forget(removed.as_slices().0);
        queues.forget(removed.as_slices().1);
        report(&queues);
        removed.len()
    }

    /// The messages of the session that wait, newest last.
    pub(super) fn messages(&self, key: &SessionKey) -> Vec<Arc<Message>> {
        let queues = self.lock();
        let waiting = queues.by_session.get(key).into_iter().flatten();
        waiting.flat_map(|append| [&append.user, &append.assistant].map(Arc::clone)).collect()
    }

    pub(super) fn sessions(&self) -> Vec<SessionKey> {
        self.lock().by_session.keys().cloned().collect()
    }

    pub(super) fn turns(&self) -> usize {
        self.lock().turns
    }

    /// Returns once there is a turn waiting.
    pub(super) async fn any(&self) {
        while self.turns() == 0 {
            self.added.notified().await;
        }
    }

    /// Nothing panics while it holds this lock.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    fn forget(&mut self, removed: &[Arc<Append>]) {
        self.turns -= removed.len();
        self.bytes -= removed.iter().map(|append| append.bytes()).sum::<usize>();
    }
}

fn report(queues: &Queues) {
    metrics::gauge!("footnote_session_turns_pending").set(queues.turns as f64);
    metrics::gauge!("footnote_session_turns_pending_bytes").set(queues.bytes as f64);
}
