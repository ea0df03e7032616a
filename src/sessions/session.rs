//! What callers get: a session as clients read it, and what one turn learns from loading and from saving.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::message::Message;

/// Where something is now: never a configured name, always what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Backend {
    Redis,
    Embedded,
    Memory,
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Redis => "Redis",
            Self::Embedded => "Embedded",
            Self::Memory => "Memory",
        })
    }
}

impl Backend {
    /// Whether what is there survives this process.
    pub(super) fn is_durable(self) -> bool {
        match self {
            Self::Redis | Self::Embedded => true,
            Self::Memory => false,
        }
    }
}

/// A whole session, in the shape of `GET /sessions/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    pub session_id: String,
    /// Newest last.
    #[serde(serialize_with = "as_messages")]
    pub messages: Vec<Arc<Message>>,
    /// The time of the first turn.
    pub created_at: Timestamp,
    /// The time of the last turn or metadata change.
    pub last_activity: Timestamp,
    pub metadata: Map<String, Value>,
    /// How long it lives from now on if nobody uses it; null is forever.
    pub ttl_seconds: Option<u64>,
    pub backend: Backend,
    /// Whether every message here is in the store.
    pub session_persisted: bool,
    /// Messages ever appended, the trimmed ones too.
    #[serde(rename = "conversation_length")]
    pub length: u64,
}

/// serde's own way of writing `Arc` is a feature of the whole workspace; this is the one place that needs it.
fn as_messages<S: Serializer>(messages: &[Arc<Message>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(AsRef::as_ref))
}

/// An entry of `GET /sessions`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionSummary {
    pub session_id: String,
    pub created_at: Timestamp,
    pub last_activity: Timestamp,
    pub metadata: Map<String, Value>,
    /// What is left of its life; null is forever. Listing does not prolong it.
    pub ttl_seconds: Option<u64>,
    /// Messages ever appended.
    pub conversation_length: u64,
}

/// One page of `GET /sessions`, the last active first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionPage {
    pub sessions: Vec<SessionSummary>,
    /// Give it back for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// What a turn starts from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The newest ones, newest last; at most `recent_messages`.
    pub messages: Vec<Arc<Message>>,
    /// Messages ever appended, as far as this server knows.
    pub length: u64,
    pub history: History,
    /// For [`Sessions::append`](super::Sessions::append).
    pub seen: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// The messages are the session's; during an outage, as this server last saw it, with its own turns since.
    Known,
    /// The session could not be read, and what it held before the messages given (if any) is unknown: not empty.
    Unavailable,
}

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// True only if the store acknowledged this very turn.
    pub persisted: bool,
    pub backend: Backend,
    /// Messages ever appended, this turn's included; during an outage, as far as this server knows.
    pub conversation_length: u64,
    /// Neither saved nor waiting to be.
    pub lost: bool,
}

/// The turns that wait for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WaitingTurns {
    pub turns: usize,
    pub bytes: usize,
    /// Turns beyond it are answered and not saved.
    pub limit_bytes: usize,
    /// Whether they are in a journal, and so survive this process.
    pub on_disk: bool,
}

/// Which state of a session a turn was made from, so that saving it cannot bring back a session deleted meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seen(pub(super) Option<SeenState>);

impl Seen {
    /// For a turn that did not load the session, or could not.
    pub const NOTHING: Self = Self(None);

    pub(super) fn absent(deleted: Option<Uuid>) -> Self {
        Self(Some(SeenState { epoch: None, deleted }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeenState {
    /// The session's epoch; `None` if there was no session.
    pub(super) epoch: Option<Uuid>,
    /// The epoch that the tombstone named; `None` if there was no tombstone.
    pub(super) deleted: Option<Uuid>,
}
