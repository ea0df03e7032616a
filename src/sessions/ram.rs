//! The RAM copy of a session: its newest messages as the store had them. It is used only after the store has said what
//! is new, or while the store is down.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use uuid::Uuid;

use super::key::SessionKey;
use super::message::Message;
use super::session::{Seen, SeenState};
use super::store::{Append, Known, Messages, Present};

/// All RAM copies, bounded by bytes; the least recently used go first.
#[derive(Debug)]
pub(super) struct RamCopies {
    copies: Cache<SessionKey, Arc<RamCopy>>,
    recent_messages: usize,
}

#[derive(Debug, Clone)]
pub(super) struct RamCopy {
    epoch: Uuid,
    seq: u64,
    trimmed: u64,
    deleted: Option<Uuid>,
    /// Newest last, up to message number `seq`.
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
}

impl RamCopies {
    /// A copy that is not used for `ttl` goes: the store may have let the session expire, and in an outage nobody could
    /// tell.
    pub(super) fn new(bytes: u64, recent_messages: usize, ttl: Option<Duration>) -> Self {
        let copies = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, copy: &Arc<RamCopy>| copy.bytes.try_into().unwrap_or(u32::MAX))
            .eviction_policy(EvictionPolicy::lru());
        let copies = match ttl {
            Some(ttl) => copies.time_to_idle(ttl),
            None => copies,
        };
        Self { copies: copies.build(), recent_messages }
    }

    pub(super) async fn get(&self, key: &SessionKey) -> Option<Arc<RamCopy>> {
        self.copies.get(key).await
    }

    pub(super) async fn forget(&self, key: &SessionKey) {
        self.copies.invalidate(key).await;
    }

    /// Takes over what the store said, on top of the copy that was sent along with the question.
    pub(super) async fn refresh(
        &self,
        key: &SessionKey,
        known: Option<Arc<RamCopy>>,
        present: Present,
    ) -> Arc<RamCopy> {
        let Present { epoch, seq, trimmed, deleted, messages, .. } = present;
        let (mut copy, new) = match (known, messages) {
            (Some(known), Messages::Since(new)) => (Arc::unwrap_or_clone(known), new),
            (_, Messages::Newest(new) | Messages::Since(new)) => (RamCopy::empty(epoch), new),
        };
        copy.deleted = deleted;
        copy.extend(new, seq, trimmed, self.recent_messages);
        self.keep(key, copy).await
    }

    /// Adds a turn that the store acknowledged. A copy that lacks what came before it is left as it is: it is still a
    /// true beginning, and the next read brings the rest.
    pub(super) async fn add_turn(&self, key: &SessionKey, append: &Append, epoch: Uuid, seq: u64, trimmed: u64) {
        let mut copy = match self.get(key).await {
            Some(copy) if copy.epoch == epoch && copy.seq + 2 == seq => Arc::unwrap_or_clone(copy),
            Some(copy) if copy.epoch == epoch => return,
            Some(_) | None if seq == 2 => RamCopy::empty(epoch),
            Some(_) | None => return self.forget(key).await,
        };
        copy.deleted = append.seen.0.map_or(copy.deleted, |seen| seen.deleted);
        copy.extend([&append.user, &append.assistant].map(Arc::clone), seq, trimmed, self.recent_messages);
        self.keep(key, copy).await;
    }

    async fn keep(&self, key: &SessionKey, copy: RamCopy) -> Arc<RamCopy> {
        let copy = Arc::new(copy);
        self.copies.insert(key.clone(), Arc::clone(&copy)).await;
        copy
    }
}

impl RamCopy {
    fn empty(epoch: Uuid) -> Self {
        let bytes = size_of::<Self>() + size_of::<SessionKey>();
        Self { epoch, seq: 0, trimmed: 0, deleted: None, messages: VecDeque::new(), bytes }
    }

    fn extend(&mut self, new: impl IntoIterator<Item = Arc<Message>>, seq: u64, trimmed: u64, recent: usize) {
        for message in new {
            self.bytes += message.bytes();
            self.messages.push_back(message);
        }
        (self.seq, self.trimmed) = (seq, trimmed);
        let kept = usize::try_from(seq - trimmed).unwrap_or(usize::MAX).min(recent);
        while self.messages.len() > kept {
            let oldest = self.messages.pop_front();
            self.bytes -= oldest.map_or(0, |message| message.bytes());
        }
    }

    pub(super) fn known(&self) -> Option<Known> {
        let newest = self.messages.back()?;
        Some(Known { epoch: self.epoch, seq: self.seq, turn_id: newest.turn_id })
    }

    /// Whether it has every message that the store has, and not only the newest.
    pub(super) fn is_complete(&self) -> bool {
        self.messages.len() as u64 == self.seq - self.trimmed
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = Arc<Message>> {
        self.messages.iter().cloned()
    }

    pub(super) fn seen(&self) -> Seen {
        Seen(Some(SeenState { epoch: Some(self.epoch), deleted: self.deleted }))
    }
}
