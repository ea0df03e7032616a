//! The tables of `sessions.redb`, and how their values are written.

use jiff::Timestamp;
use redb::TableDefinition;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::sessions::error::Error;
use crate::sessions::record::{Record, Tombstone};

/// Session key → [`StoredSession`] as JSON.
pub(super) const SESSIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("sessions");
/// (session number, message number) → message as JSON. Appending to a session and reading its end cost the same
/// whatever its length.
pub(super) const MESSAGES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("messages");
/// (tenant, last activity, session id): the listing.
pub(super) const BY_ACTIVITY: TableDefinition<(&str, i64, &str), ()> = TableDefinition::new("by_activity");
/// (expiry, session key) → (tenant, session id): what to sweep.
pub(super) const BY_EXPIRY: TableDefinition<(i64, &str), (&str, &str)> = TableDefinition::new("by_expiry");
/// Session key → [`Tombstone`] as JSON.
pub(super) const TOMBSTONES: TableDefinition<&str, &[u8]> = TableDefinition::new("tombstones");
/// `next_session` → the number of the next new session; `last_check` → when `/readyz` last wrote to the disk.
pub(super) const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
pub(super) const NEXT_SESSION: &str = "next_session";
pub(super) const LAST_CHECK: &str = "last_check";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSession {
    /// Names the session's messages; never used twice.
    pub(super) number: u64,
    /// Milliseconds since 1970; `None` is never.
    pub(super) expires_at: Option<i64>,
    #[serde(flatten)]
    pub(super) record: Record,
}

impl StoredSession {
    pub(super) fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

pub(super) type StoredTombstone = Tombstone;

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Failed(Box::new(error)))
}

pub(super) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| Error::Damaged(format!("unreadable entry ({error})")))
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Any of the engine's errors: they differ by the call, but all end in [`redb::Error`].
pub(super) fn engine(error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    match &error {
        redb::Error::Io(io) if is_full(io) => Error::Full(Box::new(error)),
        _ => Error::Failed(Box::new(error)),
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
