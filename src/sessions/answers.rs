//! What this server has answered lately under an Idempotency-Key, and saved. The store knows it, too; in an outage nobody
//! else does.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::idempotency::{ANSWER_LIFE, IdempotencyKey, StoredAnswer};
use super::key::SessionKey;

/// Of all sessions together; the least recently used go first.
const MOST_BYTES: u64 = 16 << 20;
/// Of one session: a request is sent again soon or never.
const NEWEST: usize = 16;

#[derive(Debug)]
pub(super) struct RecentAnswers(Cache<SessionKey, Arc<[Answered]>>);

#[derive(Debug, Clone)]
struct Answered {
    answer: Arc<StoredAnswer>,
    /// Messages ever appended to the session when that turn was.
    seq: u64,
}

impl RecentAnswers {
    pub(super) fn new(ttl: Option<Duration>) -> Self {
        let bytes = |answers: &Arc<[Answered]>| answers.iter().map(|answered| answered.answer.bytes()).sum::<usize>();
        let answers = Cache::builder()
            .max_capacity(MOST_BYTES)
            .weigher(move |_, answers| bytes(answers).try_into().unwrap_or(u32::MAX))
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(ttl.map_or(ANSWER_LIFE, |ttl| ttl.min(ANSWER_LIFE)));
        Self(answers.build())
    }

    /// The caller holds the session's lock.
    pub(super) async fn note(&self, key: &SessionKey, answer: &StoredAnswer, seq: u64) {
        let before = self.0.get(key).await;
        let before =
            before.iter().flat_map(|answers| answers.iter()).filter(|earlier| earlier.answer.key != answer.key);
        let new = Answered { answer: Arc::new(answer.clone()), seq };
        let answers = std::iter::once(new).chain(before.cloned()).take(NEWEST).collect();
        self.0.insert(key.clone(), answers).await;
    }

    /// The answer, and how many messages there were after it.
    pub(super) async fn find(&self, key: &SessionKey, of: &IdempotencyKey) -> Option<(StoredAnswer, u64)> {
        let answers = self.0.get(key).await?;
        let Answered { answer, seq } = answers.iter().find(|answered| answered.answer.key == *of)?;
        Some((StoredAnswer::clone(answer), *seq))
    }

    pub(super) async fn forget(&self, key: &SessionKey) {
        self.0.invalidate(key).await;
    }
}
