//! The order of a listing, its cursor, and the page made of it.

use std::time::Duration;

use jiff::Timestamp;

use super::error::Error;
use super::key;
use super::session::{SessionPage, SessionSummary};

/// A session's place in the listing: by last activity, then by id, both descending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Milliseconds since 1970.
    pub(super) last_activity: i64,
    pub(super) session_id: String,
}

/// One session as a store lists it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) summary: SessionSummary,
    pub(super) position: Position,
}

impl Position {
    /// Opaque to clients: `<milliseconds>~<id>`, the id percent-encoded with `~` for `%`, so that a client that does
    /// not encode it for its URL still sends the same.
    fn to_cursor(&self) -> String {
        format!("{}~{}", self.last_activity, key::encode(&self.session_id).replace('%', "~"))
    }

    pub(super) fn from_cursor(cursor: &str) -> Result<Self, Error> {
        let (milliseconds, id) = cursor.split_once('~').ok_or(Error::InvalidCursor)?;
        let last_activity = milliseconds.parse().map_err(|_| Error::InvalidCursor)?;
        let session_id = key::decode(&id.replace('~', "%")).ok_or(Error::InvalidCursor)?;
        Ok(Self { last_activity, session_id })
    }
}

/// `listed` is one longer than `limit` if there is a next page.
pub(super) fn page(mut listed: Vec<Listed>, limit: usize) -> SessionPage {
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next_cursor = listed.last().filter(|_| more).map(|last| last.position.to_cursor());
    SessionPage { sessions: listed.into_iter().map(|entry| entry.summary).collect(), next_cursor }
}

/// Stores keep the times of a session in milliseconds.
pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

/// Rounded up: a session that lives for another half second does not read as dead.
pub(super) fn whole_seconds(life: Duration) -> u64 {
    life.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_survives_any_id() {
        for session_id in ["user_123", "a b~c", "ü%20{}", "~"] {
            let position = Position { last_activity: 1_700_000_000_123, session_id: session_id.into() };
            let cursor = position.to_cursor();
            assert_eq!(Position::from_cursor(&cursor).unwrap(), position);
            assert!(cursor.chars().all(|c| c.is_ascii_alphanumeric() || "_.~-".contains(c)), "{cursor}");
        }
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for cursor in ["", "12", "x~a", "12~~ff"] {
            assert!(matches!(Position::from_cursor(cursor), Err(Error::InvalidCursor)), "{cursor}");
        }
    }
}
