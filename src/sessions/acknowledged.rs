//! What this server remembers of what the store has acknowledged, for the next turn and for an outage.

use uuid::Uuid;

use super::Inner;
use super::key::SessionKey;
use super::session::Saved;
use super::store::Append;

impl Inner {
    /// Takes note of a turn that the store acknowledged.
    pub(super) async fn saved(&self, key: &SessionKey, append: &Append, epoch: Uuid, seq: u64, trimmed: u64) {
        self.ram.add_turn(key, append, epoch, seq, trimmed).await;
        self.note_answer(key, append, seq).await;
    }

    /// The same of one that was in the store already, and may be missing in the RAM copy.
    pub(super) async fn saved_before(&self, key: &SessionKey, append: &Append, seq: u64) {
        self.ram.forget(key).await;
        self.note_answer(key, append, seq).await;
    }

    async fn note_answer(&self, key: &SessionKey, append: &Append, seq: u64) {
        if let Some(answer) = &append.answer {
            self.answers.note(key, answer, seq).await;
        }
    }

    /// A session that is not there any more, or is another one now.
    pub(super) async fn forget(&self, key: &SessionKey) {
        self.ram.forget(key).await;
        self.answers.forget(key).await;
    }

    pub(super) fn acknowledged(&self, seq: u64) -> Saved {
        let backend = self.store.backend();
        Saved { persisted: backend.is_durable(), backend, conversation_length: seq, lost: false }
    }
}
