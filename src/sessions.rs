//! Conversations: the RAM copy and the store behind it.
//!
//! [`Sessions`] is what a turn talks to: it loads a session before the turn and saves the turn after it. The stores
//! (`redis`, `embedded`, `memory`) keep one contract, that of [`store`]; turns that a store could not take wait in
//! [`pending`] and, for Redis, on disk in [`journal`]. Which messages go into a prompt is decided in `chat`, what an HTTP client sees of an error in `http`.

mod acknowledged;
mod answers;
mod database_file;
mod diagnosis;
mod embedded;
mod error;
mod idempotency;
mod journal;
mod key;
mod listing;
mod locks;
mod memory;
mod message;
mod options;
mod outage;
mod pending;
mod ram;
mod record;
mod redis;
mod replay;
mod reservations;
mod session;
mod store;
mod stored_sources;
mod transfer;
mod writer_thread;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use serde_json::Value;
use uuid::Uuid;

pub use diagnosis::{Diagnosis, Severity};
pub use embedded::file_in as embedded_file;
pub use error::{Cause, Error};
pub use idempotency::{IdempotencyKey, IdempotentRequest, InvalidIdempotencyKey, Reservation, Reserved, StoredAnswer};
pub use key::{InvalidKey, SessionKey};
pub use message::{Message, Role, Turn};
pub use options::{SessionOptions, StoreChoice};
pub use session::{Backend, History, Loaded, Saved, Seen, Session, SessionPage, SessionSummary, WaitingTurns};
pub use transfer::{ExportedSession, Imported};

pub use self::redis::LOG_TARGET as REDIS_LOG_TARGET;
use self::redis::RedisStore;
use answers::RecentAnswers;
use embedded::EmbeddedStore;
use idempotency::InFlight;
use journal::Journal;
use listing::{Position, whole_seconds};
use locks::Locks;
use memory::MemoryStore;
use outage::open_journal;
use pending::PendingTurns;
use ram::{RamCopies, RamCopy};
use replay::Replayer;
use store::{Append, Appended, Messages, Present, Read, ReadRequest, Store};

/// How long the end of the server may wait for a store that is down.
const LAST_CHANCE: Duration = Duration::from_secs(3);

/// How long a turn may be under way that began before its session was deleted.
const LONGEST_TURN: Duration = Duration::from_secs(3600);

const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The session manager. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
    /// Ends with the last clone.
    _replayer: Arc<Replayer>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    ram: RamCopies,
    answers: RecentAnswers,
    pending: PendingTurns,
    journal: Option<Journal>,
    in_flight: Arc<InFlight>,
    locks: Locks,
    /// This process, to the store; a restart is another writer.
    writer: Uuid,
    next_number: AtomicU64,
    ttl: Option<Duration>,
    recent_messages: usize,
    /// When sessions were deleted here of which the store knew nothing, because their turns waited.
    deleted_unsaved: Cache<SessionKey, Timestamp>,
}

impl Sessions {
    /// A Redis that cannot be reached is no error: the server starts, and uses it once it is there. A bad URL is one,
    /// and so is a session file that is damaged or in use.
    pub async fn open(options: SessionOptions) -> Result<Self, Error> {
        let options = SessionOptions {
            max_messages: options.max_messages.max(2),
            // Beyond it, Redis cannot count the milliseconds.
            ttl: options.ttl.map(|ttl| ttl.min(LONGEST_TTL)),
            ..options
        };
        let store = match &options.store {
            StoreChoice::Redis { url, ca, timeout } => {
                Store::Redis(RedisStore::open(url.expose(), ca.as_deref(), *timeout, &options)?)
            }
            StoreChoice::Embedded { data_dir } => Store::Embedded(EmbeddedStore::open(data_dir, &options).await?),
            StoreChoice::Memory => Store::Memory(MemoryStore::new(&options)),
        };
        let pending = PendingTurns::new(options.pending_bytes);
        let journal = match options.journal.filter(|_| matches!(store, Store::Redis(_))) {
            Some(folder) => Some(open_journal(folder, &pending).await?),
            None => None,
        };
        let inner = Arc::new(Inner {
            store,
            ram: RamCopies::new(options.ram_bytes, options.recent_messages, options.ttl),
            answers: RecentAnswers::new(options.ttl),
            pending,
            journal,
            in_flight: Arc::default(),
            locks: Locks::default(),
            writer: Uuid::new_v4(),
            next_number: AtomicU64::new(1),
            ttl: options.ttl,
            recent_messages: options.recent_messages,
            deleted_unsaved: Cache::builder()
                .time_to_live(LONGEST_TURN)
                .max_capacity(10_000)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        });
        let replayer = Arc::new(Replayer::start(&inner));
        Ok(Self { inner, _replayer: replayer })
    }

    /// What a turn starts from: the RAM copy once the store has said what is new, else the store's newest messages.
    /// While the store is down, what this server remembers.
    pub async fn load(&self, key: &SessionKey) -> Loaded {
        let _lock = self.inner.locks.lock(key).await;
        // What still waits after it is part of what this server remembers.
        let _ = self.inner.replay(key).await;
        let copy = self.inner.ram.get(key).await;
        let request = ReadRequest {
            known: copy.as_ref().and_then(|copy| copy.known()),
            newest: self.inner.recent_messages,
            metadata: false,
        };
        match self.inner.store.read(key, request).await {
            Ok(Read::Present(present)) => {
                let copy = self.inner.ram.refresh(key, copy, present).await;
                self.inner.loaded(key, Some(&copy), copy.seen(), History::Known)
            }
            Ok(Read::Absent { deleted }) => {
                self.inner.forget(key).await;
                self.inner.loaded(key, None, Seen::absent(deleted), History::Known)
            }
            Err(error) => {
                log(&error, "cannot read a session; the turn goes on with what this server remembers");
                let history = if copy.is_some() { History::Known } else { History::Unavailable };
                let seen = copy.as_ref().map_or(Seen::NOTHING, |copy| copy.seen());
                self.inner.loaded(key, copy.as_deref(), seen, history)
            }
        }
    }

    /// Saves both messages of a turn, or none. Never fails the answer that was already given: while the store is down
    /// the turn waits here, and says so. `seen` is what [`Sessions::load`] gave this turn.
    ///
    /// Run it to its end: if the future is dropped, the turn may or may not be saved.
    pub async fn append(&self, key: &SessionKey, seen: Seen, turn: Turn) -> Saved {
        let inner = &self.inner;
        let _lock = inner.locks.lock(key).await;
        if inner.deleted_unsaved.get(key).await.is_some_and(|deleted_at| turn.user.created_at <= deleted_at) {
            return lost(0);
        }
        // Under the lock: the numbers of a session's turns must be in the order in which they are sent.
        let number = inner.next_number.fetch_add(1, Ordering::Relaxed);
        let append = Append::new(inner.writer, number, seen, turn);
        let saved = match inner.replay(key).await {
            Ok(()) => inner.store.append(key, &append).await,
            Err(error) => Err(error),
        };
        match saved {
            Ok(Appended::Saved { epoch, seq, trimmed }) => {
                inner.saved(key, &append, epoch, seq, trimmed).await;
                inner.acknowledged(seq)
            }
            Ok(Appended::Repeated { seq }) => {
                inner.saved_before(key, &append, seq).await;
                inner.acknowledged(seq)
            }
            Ok(Appended::Deleted) => {
                inner.forget(key).await;
                lost(0)
            }
            Ok(Appended::Superseded { seq }) => lost(seq),
            Err(error) => inner.keep_for_later(key, append, &error).await,
        }
    }

    /// A whole session, or `None` if there is none: an outage is an error.
    pub async fn read(&self, key: &SessionKey) -> Result<Option<Session>, Error> {
        let inner = &self.inner;
        let _lock = inner.locks.lock(key).await;
        // What still waits after it is shown, and flagged.
        let replayed = inner.replay(key).await;
        let copy = inner.ram.get(key).await.filter(|copy| copy.is_complete());
        let known = copy.as_ref().and_then(|copy| copy.known());
        let request = ReadRequest { known, newest: usize::MAX, metadata: true };
        match inner.store.read(key, request).await? {
            Read::Present(present) => Ok(Some(inner.session(key, copy.as_deref(), present))),
            Read::Absent { .. } => {
                // A session is not absent whose first turn waits.
                replayed?;
                inner.forget(key).await;
                Ok(None)
            }
        }
    }

    /// Whether there was such a session. Turns of it that are being answered will not be saved.
    pub async fn delete(&self, key: &SessionKey) -> Result<bool, Error> {
        let _lock = self.inner.locks.lock(key).await;
        let deleted = self.inner.store.delete(key).await?;
        self.inner.forget(key).await;
        let waiting = self.inner.pending.clear(key);
        self.inner.forget_journaled(&waiting);
        if !deleted && !waiting.is_empty() {
            // The store has no tombstone.
            self.inner.deleted_unsaved.insert(key.clone(), Timestamp::now()).await;
        }
        Ok(deleted || !waiting.is_empty())
    }

    /// Merges `patch`, an object, into the metadata as RFC 7396 says; the result takes at most 16 KiB. `None` if there
    /// is no such session.
    pub async fn patch_metadata(&self, key: &SessionKey, patch: Value) -> Result<Option<Session>, Error> {
        let Value::Object(patch) = patch else {
            return Err(Error::InvalidMetadata("must be an object".into()));
        };
        let patched = {
            let _lock = self.inner.locks.lock(key).await;
            self.inner.replay(key).await?;
            self.inner.store.patch_metadata(key, patch).await?
        };
        if patched { self.read(key).await } else { Ok(None) }
    }

    /// A whole session to put into another store, or `None` if there is none.
    pub async fn export(&self, key: &SessionKey) -> Result<Option<ExportedSession>, Error> {
        Ok(self.read(key).await?.map(|session| ExportedSession::of(key, session)))
    }

    /// Puts an exported session into the store, where its life begins anew. A session of that name is left as it is,
    /// unless it is to be replaced.
    pub async fn import(&self, session: ExportedSession, replace: bool) -> Result<Imported, Error> {
        let key = session.check()?;
        let _lock = self.inner.locks.lock(&key).await;
        self.inner.replay(&key).await?;
        let imported = self.inner.store.import(&key, session, replace).await?;
        self.inner.forget(&key).await;
        Ok(imported)
    }

    /// One page of a tenant's sessions, the last active first. Turns that wait for the store do not show.
    pub async fn list(&self, tenant: &str, cursor: Option<&str>, limit: usize) -> Result<SessionPage, Error> {
        let after = cursor.map(Position::from_cursor).transpose()?;
        let listed = self.inner.store.list(tenant, after, limit.saturating_add(1)).await?;
        Ok(listing::page(listed, limit))
    }

    /// Whether the store takes writes now.
    pub async fn check(&self) -> Result<(), Error> {
        self.inner.store.check().await
    }

    /// Settings of the store that endanger what it promises.
    pub async fn diagnose(&self) -> Result<Vec<Diagnosis>, Error> {
        self.inner.store.diagnose().await
    }

    /// The configured store. What became of a turn is in [`Saved`].
    pub fn backend(&self) -> Backend {
        self.inner.store.backend()
    }

    /// Turns that wait for the store.
    pub fn pending_turns(&self) -> usize {
        self.inner.pending.fill().turns
    }

    /// What waits for the store, and how much may.
    pub fn waiting(&self) -> WaitingTurns {
        let fill = self.inner.pending.fill();
        WaitingTurns {
            turns: fill.turns,
            bytes: fill.bytes,
            limit_bytes: self.inner.pending.bytes_limit(),
            on_disk: self.inner.journal.is_some(),
        }
    }

    /// For a clean end: tries once more to save what waits, and closes the store.
    pub async fn shutdown(&self) {
        if self.pending_turns() > 0 {
            // Redis may be back without anybody having noticed yet.
            let _ = tokio::time::timeout(LAST_CHANCE, self.inner.store.reachable()).await;
            self.inner.replay_all().await;
        }
        let waiting = self.pending_turns();
        match &self.inner.journal {
            Some(_) if waiting > 0 => {
                tracing::warn!(turns = waiting, "the session store is down: turns wait on disk for the next start");
            }
            None if waiting > 0 => {
                tracing::error!(turns = waiting, "the session store is down: turns that waited for it are lost");
            }
            Some(_) | None => {}
        }
        if let Some(journal) = &self.inner.journal {
            journal.close().await;
        }
        self.inner.store.close().await;
    }
}

impl Inner {
    fn loaded(&self, key: &SessionKey, copy: Option<&RamCopy>, seen: Seen, history: History) -> Loaded {
        let mut messages: Vec<_> = copy.into_iter().flat_map(RamCopy::messages).collect();
        let waiting = self.pending.messages(key);
        let length = copy.map_or(0, RamCopy::seq) + waiting.len() as u64;
        messages.extend(waiting);
        messages.drain(..messages.len().saturating_sub(self.recent_messages));
        Loaded { messages, length, history, seen }
    }

    fn session(&self, key: &SessionKey, copy: Option<&RamCopy>, present: Present) -> Session {
        let (mut messages, new) = match present.messages {
            Messages::Since(new) => (copy.into_iter().flat_map(RamCopy::messages).collect(), new),
            Messages::Newest(all) => (Vec::new(), all),
        };
        messages.extend(new);
        let kept = usize::try_from(present.seq - present.trimmed).unwrap_or(usize::MAX);
        messages.drain(..messages.len().saturating_sub(kept));
        let waiting = self.pending.messages(key);
        let backend = if waiting.is_empty() { self.store.backend() } else { Backend::Memory };
        let length = present.seq + waiting.len() as u64;
        messages.extend(waiting);
        Session {
            session_id: key.id().to_owned(),
            messages,
            created_at: present.created_at,
            last_activity: present.last_activity,
            metadata: present.metadata,
            ttl_seconds: self.ttl.map(whole_seconds),
            backend,
            session_persisted: backend.is_durable(),
            length,
        }
    }
}

fn in_memory(conversation_length: u64) -> Saved {
    Saved { persisted: false, backend: Backend::Memory, conversation_length, lost: false }
}

/// Of a turn that is not saved and never will be.
fn lost(conversation_length: u64) -> Saved {
    Saved { lost: true, ..in_memory(conversation_length) }
}

fn count_lost_turn(reason: &'static str) {
    metrics::counter!("footnote_session_turns_lost_total", "reason" => reason).increment(1);
}

/// An unreachable store is reported once, when it is found to be unreachable, and not by every turn.
fn log(error: &Error, what: &str) {
    match error {
        Error::Unavailable(None) => tracing::debug!(error = %error, "{what}"),
        other => tracing::warn!(error = other as &dyn std::error::Error, "{what}"),
    }
}
