//! The tables of `sessions.redb`, and how their values are written.

use jiff::Timestamp;
use redb::{TableDefinition, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::sessions::record::Record;

/// Session key → [`StoredSession`] as JSON.
pub(super) const SESSIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("sessions");
/// (session number, message number) → message as JSON. Appending to a session and reading its end cost the same
/// whatever its length.
pub(super) const MESSAGES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("messages");
/// (tenant, last activity, session id): the listing.
pub(super) const BY_ACTIVITY: TableDefinition<(&str, i64, &str), ()> = TableDefinition::new("by_activity");
/// (expiry, session key) → (tenant, session id): what to sweep.
pub(super) const BY_EXPIRY: TableDefinition<(i64, &str), (&str, &str)> = TableDefinition::new("by_expiry");
/// Session key → [`Tombstone`](crate::sessions::record::Tombstone) as JSON.
pub(super) const TOMBSTONES: TableDefinition<&str, &[u8]> = TableDefinition::new("tombstones");
/// (session number, Idempotency-Key) → (when it was saved, milliseconds since 1970; the
/// [`Record`](crate::sessions::idempotency::StoredAnswer) as JSON).
pub(super) const TURNS: TableDefinition<(u64, &str), (i64, &[u8])> = TableDefinition::new("turns");
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

/// Readers then find every table.
pub(super) fn create(transaction: &WriteTransaction) -> Result<(), TableError> {
    transaction.open_table(SESSIONS)?;
    transaction.open_table(MESSAGES)?;
    transaction.open_table(BY_ACTIVITY)?;
    transaction.open_table(BY_EXPIRY)?;
    transaction.open_table(TOMBSTONES)?;
    transaction.open_table(TURNS)?;
    transaction.open_table(COUNTERS)?;
    Ok(())
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
