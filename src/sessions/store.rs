//! The stores behind the session manager, and what it asks of them. Every store keeps this contract; the conformance
//! suite holds them to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::diagnosis::Diagnosis;
use super::embedded::EmbeddedStore;
use super::error::Error;
use super::idempotency::{IdempotentRequest, Reserved, StoredAnswer};
use super::key::SessionKey;
use super::listing::{Listed, Position};
use super::memory::MemoryStore;
use super::message::{Message, Turn};
use super::redis::RedisStore;
use super::session::{Backend, Seen};
use super::transfer::{ExportedSession, Imported};

/// How long a deletion is remembered, so that a turn answered before it is not saved after it.
pub(super) const TOMBSTONE_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// One turn to append.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Append {
    /// This server process.
    pub(super) writer: Uuid,
    /// Grows with every append of the writer. Appending a number again changes nothing, so every append is safe to
    /// repeat after a timeout; a session's appends are sent in this order, one at a time.
    pub(super) number: u64,
    pub(super) seen: Seen,
    /// The session's epoch if this turn is its first.
    pub(super) epoch_if_new: Uuid,
    #[serde(with = "shared")]
    pub(super) user: Arc<Message>,
    #[serde(with = "shared")]
    pub(super) assistant: Arc<Message>,
    /// What to answer if the turn's request comes again with its Idempotency-Key.
    pub(super) answer: Option<StoredAnswer>,
    /// Since when it waits, if the store was down: so much shorter the session lives.
    pub(super) waiting_since: Option<Timestamp>,
}

impl Append {
    pub(super) fn new(writer: Uuid, number: u64, seen: Seen, turn: Turn) -> Self {
        Self {
            writer,
            number,
            seen,
            epoch_if_new: Uuid::new_v4(),
            user: Arc::new(turn.user),
            assistant: Arc::new(turn.assistant),
            answer: turn.stored_answer,
            waiting_since: None,
        }
    }

    pub(super) fn asked_at(&self) -> Timestamp {
        self.user.created_at
    }

    pub(super) fn answered_at(&self) -> Timestamp {
        self.assistant.created_at
    }

    pub(super) fn waited(&self) -> Duration {
        let since = self.waiting_since.map(|since| Timestamp::now().duration_since(since));
        since.filter(|waited| waited.is_positive()).map_or(Duration::ZERO, |waited| waited.unsigned_abs())
    }

    pub(super) fn bytes(&self) -> usize {
        let answer = self.answer.as_ref().map_or(0, StoredAnswer::bytes);
        size_of::<Self>() + self.user.bytes() + self.assistant.bytes() + answer
    }
}

/// serde's own way of writing `Arc` is a feature of the whole workspace.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(de: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(de).map(Arc::new)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// The turn is in the store, the last one there.
    Saved {
        epoch: Uuid,
        /// Messages ever appended, up to and including this turn.
        seq: u64,
        /// How many of them were trimmed since.
        trimmed: u64,
    },
    /// The turn was in the store already, from an earlier call with the same number.
    Repeated {
        /// Messages ever appended, others' too.
        seq: u64,
    },
    /// The session was deleted after the turn began: the turn was not saved and never will be.
    Deleted,
    /// Another server answered the same request, by its Idempotency-Key, while this one could not know of it: that
    /// turn is in the store and this one never will be.
    Superseded {
        /// Messages ever appended.
        seq: u64,
    },
}

/// What the store knows of an Idempotency-Key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing that counts. Where several servers share the store, the key is now held for the one who asked.
    Free,
    InFlight,
    OtherRequest,
    Answered {
        response: String,
        /// Messages ever appended when that turn was.
        seq: u64,
    },
}

impl Held {
    /// By a request that was answered so.
    pub(super) fn by(answer: StoredAnswer, request: &IdempotentRequest, seq: u64) -> Self {
        if answer.digest == request.digest {
            Self::Answered { response: answer.response, seq }
        } else {
            Self::OtherRequest
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ReadRequest {
    /// What the caller has in RAM; the store sends what came after it.
    pub(super) known: Option<Known>,
    /// How many messages are wanted at most, the newest ones.
    pub(super) newest: usize,
    /// Whether the metadata is wanted.
    pub(super) metadata: bool,
}

/// The last message of a RAM copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) epoch: Uuid,
    pub(super) seq: u64,
    pub(super) turn_id: Uuid,
}

#[derive(Debug)]
pub(super) enum Read {
    Absent {
        /// The epoch that the tombstone names, if there is one.
        deleted: Option<Uuid>,
    },
    Present(Present),
}

#[derive(Debug)]
pub(super) struct Present {
    pub(super) epoch: Uuid,
    pub(super) seq: u64,
    pub(super) trimmed: u64,
    pub(super) deleted: Option<Uuid>,
    pub(super) created_at: Timestamp,
    pub(super) last_activity: Timestamp,
    /// Empty if it was not asked for.
    pub(super) metadata: Map<String, Value>,
    pub(super) messages: Messages,
}

/// Newest last.
#[derive(Debug)]
pub(super) enum Messages {
    /// To be put behind what the caller knows.
    Since(Vec<Arc<Message>>),
    /// Instead of what the caller knows.
    Newest(Vec<Arc<Message>>),
}

#[derive(Debug)]
pub(super) enum Store {
    Redis(RedisStore),
    Embedded(EmbeddedStore),
    Memory(MemoryStore),
}

impl Store {
    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::Redis(_) => Backend::Redis,
            Self::Embedded(_) => Backend::Embedded,
            Self::Memory(_) => Backend::Memory,
        }
    }

    /// Appends both messages of a turn, or none; trims whole turns; prolongs the session's life.
    pub(super) async fn append(&self, key: &SessionKey, append: &Append) -> Result<Appended, Error> {
        match self {
            Self::Redis(store) => store.append(key, append).await,
            Self::Embedded(store) => store.append(key, append).await,
            Self::Memory(store) => store.append(key, append).await,
        }
    }

    /// Reads what the caller does not know yet; prolongs the session's life.
    pub(super) async fn read(&self, key: &SessionKey, request: ReadRequest) -> Result<Read, Error> {
        match self {
            Self::Redis(store) => store.read(key, request).await,
            Self::Embedded(store) => store.read(key, request).await,
            Self::Memory(store) => store.read(key, request).await,
        }
    }

    /// Looks up what became of earlier requests with the same key and, where several servers share the store, holds it
    /// for `life`: what is in flight in this process, the session manager knows.
    pub(super) async fn reserve(&self, reserved: &Reserved, life: Duration) -> Result<Held, Error> {
        match self {
            Self::Redis(store) => store.reserve(reserved, life).await,
            Self::Embedded(store) => store.reserve(reserved).await,
            Self::Memory(store) => store.reserve(reserved).await,
        }
    }

    /// Frees the key after a turn that failed.
    pub(super) async fn release(&self, reserved: &Reserved) -> Result<(), Error> {
        match self {
            Self::Redis(store) => store.release(reserved).await,
            Self::Embedded(_) | Self::Memory(_) => Ok(()),
        }
    }

    /// Whether there was a session to delete. Leaves a tombstone.
    pub(super) async fn delete(&self, key: &SessionKey) -> Result<bool, Error> {
        match self {
            Self::Redis(store) => store.delete(key).await,
            Self::Embedded(store) => store.delete(key).await,
            Self::Memory(store) => store.delete(key).await,
        }
    }

    /// Merges `patch` into the metadata (RFC 7396). False if there is no such session.
    pub(super) async fn patch_metadata(&self, key: &SessionKey, patch: Map<String, Value>) -> Result<bool, Error> {
        match self {
            Self::Redis(store) => store.patch_metadata(key, patch).await,
            Self::Embedded(store) => store.patch_metadata(key, patch).await,
            Self::Memory(store) => store.patch_metadata(key, patch).await,
        }
    }

    /// Puts a whole session into the store. Of a name that is taken, only if it is to `replace` the other one.
    pub(super) async fn import(
        &self,
        key: &SessionKey,
        session: ExportedSession,
        replace: bool,
    ) -> Result<Imported, Error> {
        match self {
            Self::Redis(store) => store.import(key, session, replace).await,
            Self::Embedded(store) => store.import(key, session, replace).await,
            Self::Memory(store) => Ok(store.import(key, session, replace).await),
        }
    }

    /// The sessions of a tenant, the last active first, from behind `after`; `limit` of them unless the end is reached.
    pub(super) async fn list(&self, tenant: &str, after: Option<Position>, limit: usize) -> Result<Vec<Listed>, Error> {
        match self {
            Self::Redis(store) => store.list(tenant, after, limit).await,
            Self::Embedded(store) => store.list(tenant, after, limit).await,
            Self::Memory(store) => Ok(store.list(tenant, after, limit)),
        }
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        match self {
            Self::Redis(store) => store.check().await,
            Self::Embedded(store) => store.check().await,
            Self::Memory(_) => Ok(()),
        }
    }

    pub(super) async fn diagnose(&self) -> Result<Vec<Diagnosis>, Error> {
        match self {
            Self::Redis(store) => store.diagnose().await,
            // Their settings are ours.
            Self::Embedded(_) | Self::Memory(_) => Ok(Vec::new()),
        }
    }

    /// Returns once it is worth trying again after a failure.
    pub(super) async fn reachable(&self) {
        match self {
            Self::Redis(store) => store.reachable().await,
            Self::Embedded(_) | Self::Memory(_) => {}
        }
    }

    /// Finishes what was begun and lets go of files and connections.
    pub(super) async fn close(&self) {
        match self {
            Self::Redis(store) => store.close().await,
            Self::Embedded(store) => store.close().await,
            Self::Memory(_) => {}
        }
    }
}
