//! Turns that were answered while the store was down. They wait here, in order, to be appended when it is back.
//!
//! Who appends them, and when, is in [`super::replay`]; how they survive this process, in [`super::journal`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::idempotency::{IdempotencyKey, StoredAnswer};
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
    by_session: HashMap<SessionKey, VecDeque<Waiting>>,
    fill: Fill,
}

#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) append: Arc<Append>,
    /// Where it is in the journal, if it is there.
    pub(super) position: Option<u64>,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) turns: usize,
    pub(super) bytes: usize,
}

impl PendingTurns {
    pub(super) fn new(bytes_limit: usize) -> Self {
        Self { queues: Mutex::default(), added: Notify::new(), bytes_limit }
    }

    pub(super) fn has_room(&self, append: &Append) -> bool {
        self.lock().fill.bytes + append.bytes() <= self.bytes_limit
    }

    pub(super) fn push(&self, key: &SessionKey, waiting: Waiting) {
        let mut queues = self.lock();
        queues.fill.turns += 1;
        queues.fill.bytes += waiting.append.bytes();
        queues.by_session.entry(key.clone()).or_default().push_back(waiting);
        report(queues.fill);
        drop(queues);
        self.added.notify_one();
    }

    pub(super) fn oldest(&self, key: &SessionKey) -> Option<Arc<Append>> {
        self.lock().by_session.get(key)?.front().map(|waiting| Arc::clone(&waiting.append))
    }

    /// Removes the turn that [`PendingTurns::oldest`] gave.
    pub(super) fn remove_oldest(&self, key: &SessionKey) -> Option<Waiting> {
        let mut queues = self.lock();
        let queue = queues.by_session.get_mut(key)?;
        let removed = queue.pop_front();
        if queue.is_empty() {
            queues.by_session.remove(key);
        }
        queues.forget(removed.as_slice());
        removed
    }

    /// Removes all turns of a session.
    pub(super) fn clear(&self, key: &SessionKey) -> Vec<Waiting> {
        let mut queues = self.lock();
        let removed: Vec<_> = queues.by_session.remove(key).unwrap_or_default().into();
        queues.forget(&removed);
        removed
    }

    /// The answer to an earlier request with this key, and how many of the session's waiting messages there were then.
    pub(super) fn answer(&self, key: &SessionKey, idempotency_key: &IdempotencyKey) -> Option<(StoredAnswer, u64)> {
        let queues = self.lock();
        let answers = queues.by_session.get(key)?.iter().map(|waiting| waiting.append.answer.as_ref());
        let found = answers.zip(1..).find(|(answer, _)| answer.is_some_and(|answer| answer.key == *idempotency_key));
        found.and_then(|(answer, turn)| Some((answer?.clone(), 2 * turn)))
    }

    /// The messages of the session that wait, newest last.
    pub(super) fn messages(&self, key: &SessionKey) -> Vec<Arc<Message>> {
        let queues = self.lock();
        let waiting = queues.by_session.get(key).into_iter().flatten();
        waiting.flat_map(|Waiting { append, .. }| [&append.user, &append.assistant].map(Arc::clone)).collect()
    }

    pub(super) fn sessions(&self) -> Vec<SessionKey> {
        self.lock().by_session.keys().cloned().collect()
    }

    pub(super) fn fill(&self) -> Fill {
        self.lock().fill
    }

    pub(super) fn bytes_limit(&self) -> usize {
        self.bytes_limit
    }

    /// Returns once there is a turn waiting.
    pub(super) async fn any(&self) {
        while self.fill().turns == 0 {
            self.added.notified().await;
        }
    }

    /// Nothing panics while it holds this lock.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    fn forget(&mut self, removed: &[Waiting]) {
        self.fill.turns -= removed.len();
        self.fill.bytes -= removed.iter().map(|waiting| waiting.append.bytes()).sum::<usize>();
        report(self.fill);
    }
}

fn report(fill: Fill) {
    metrics::gauge!("footnote_session_turns_pending").set(fill.turns as f64);
    metrics::gauge!("footnote_session_turns_pending_bytes").set(fill.bytes as f64);
}
