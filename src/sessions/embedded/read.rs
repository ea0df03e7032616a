//! Reading a session and the listing, on one consistent snapshot of the file.

use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::tables::{BY_ACTIVITY, MESSAGES, SESSIONS, StoredSession, TOMBSTONES, TURNS};
use crate::sessions::database_file::{DatabaseFile, engine, from_json};
use crate::sessions::error::Error;
use crate::sessions::idempotency::{IdempotentRequest, StoredAnswer};
use crate::sessions::key::SessionKey;
use crate::sessions::listing::{Listed, Position, timestamp, whole_seconds};
use crate::sessions::message::Message;
use crate::sessions::record::{Span, Tombstone};
use crate::sessions::session::SessionSummary;
use crate::sessions::store::{Held, Read, ReadRequest};

pub(super) struct Snapshot {
    transaction: ReadTransaction,
    /// Without it, the file could be closed under the transaction.
    _database: Arc<Database>,
}

impl Snapshot {
    pub(super) fn take(file: &DatabaseFile) -> Result<Self, Error> {
        let database = file.database()?;
        let transaction = database.begin_read().map_err(engine)?;
        Ok(Self { transaction, _database: database })
    }

    /// Also says whether the session's new expiry should be written.
    pub(super) fn read(
        &self,
        key: &SessionKey,
        request: ReadRequest,
        ttl: Option<Duration>,
        now: i64,
    ) -> Result<(Read, bool), Error> {
        let key = key.to_string();
        let tombstone = self.tombstone(&key)?;
        let Some(session) = self.session(&key)?.filter(|session| !session.is_expired(now)) else {
            return Ok((Read::Absent { deleted: tombstone.map(|tombstone| tombstone.epoch) }, false));
        };
        let span = Span::answering(request, &session.record);
        let messages = self.messages(&session, span.from)?;
        let prolong = is_stale(session.expires_at, ttl, now);
        Ok((Read::Present(session.record.present(tombstone, request, span.messages(messages))), prolong))
    }

    /// What became of an earlier request with the same key.
    pub(super) fn answer(&self, key: &SessionKey, request: &IdempotentRequest, now: i64) -> Result<Held, Error> {
        let session = self.session(&key.to_string())?.filter(|session| !session.is_expired(now));
        let Some(session) = session else { return Ok(Held::Free) };
        let turns = self.transaction.open_table(TURNS).map_err(engine)?;
        let Some(stored) = turns.get((session.number, request.key.as_str())).map_err(engine)? else {
            return Ok(Held::Free);
        };
        let (kept_until, json) = stored.value();
        if kept_until <= now {
            return Ok(Held::Free);
        }
        let (answer, seq): (StoredAnswer, u64) = from_json(json)?;
        Ok(Held::by(answer, request, seq))
    }

    fn session(&self, key: &str) -> Result<Option<StoredSession>, Error> {
        let sessions = self.transaction.open_table(SESSIONS).map_err(engine)?;
        let stored = sessions.get(key).map_err(engine)?;
        stored.map(|json| from_json(json.value())).transpose()
    }

    fn tombstone(&self, key: &str) -> Result<Option<Tombstone>, Error> {
        let tombstones = self.transaction.open_table(TOMBSTONES).map_err(engine)?;
        let stored = tombstones.get(key).map_err(engine)?;
        stored.map(|json| from_json(json.value())).transpose()
    }

    /// The messages from number `from` on; none may be missing.
    fn messages(&self, session: &StoredSession, from: u64) -> Result<Vec<Arc<Message>>, Error> {
        let table = self.transaction.open_table(MESSAGES).map_err(engine)?;
        let range = table.range((session.number, from)..(session.number, session.record.seq)).map_err(engine)?;
        let mut messages = Vec::new();
        for entry in range {
            let (_, json) = entry.map_err(engine)?;
            messages.push(Arc::new(from_json(json.value())?));
        }
        let expected = session.record.seq - from;
        if messages.len() as u64 != expected {
            return Err(Error::Damaged(format!("{} of {expected} messages are there", messages.len())));
        }
        Ok(messages)
    }

    pub(super) fn list(
        &self,
        tenant: &str,
        after: Option<Position>,
        limit: usize,
        now: i64,
    ) -> Result<Vec<Listed>, Error> {
        let (activity, id) = match &after {
            Some(position) => (position.last_activity, position.session_id.as_str()),
            None => (i64::MAX, ""),
        };
        let by_activity = self.transaction.open_table(BY_ACTIVITY).map_err(engine)?;
        let newest_first = by_activity.range((tenant, i64::MIN, "")..(tenant, activity, id)).map_err(engine)?.rev();
        let mut listed = Vec::new();
        for entry in newest_first {
            if listed.len() == limit {
                break;
            }
            let (entry, _) = entry.map_err(engine)?;
            let (_, last_activity, session_id) = entry.value();
            listed.extend(self.entry(tenant, last_activity, session_id, now)?);
        }
        Ok(listed)
    }

    /// `None` for a session that has expired and was not swept yet.
    fn entry(&self, tenant: &str, last_activity: i64, id: &str, now: i64) -> Result<Option<Listed>, Error> {
        let key = SessionKey::in_tenant(tenant, id).map_err(|error| Error::Damaged(error.to_string()))?;
        let Some(session) = self.session(&key.to_string())?.filter(|session| !session.is_expired(now)) else {
            return Ok(None);
        };
        let left = |expires_at: i64| Duration::from_millis(expires_at.abs_diff(now));
        let summary = SessionSummary {
            session_id: id.to_owned(),
            created_at: timestamp(session.record.created_at),
            last_activity: timestamp(session.record.last_activity),
            metadata: session.record.metadata,
            ttl_seconds: session.expires_at.map(left).map(whole_seconds),
            conversation_length: session.record.seq,
        };
        let position = Position { last_activity, session_id: id.to_owned() };
        Ok(Some(Listed { summary, position }))
    }
}

/// A second (or a twentieth of a very short life) more or less is not worth a write, and a turn reads just before it
/// appends.
fn is_stale(stored: Option<i64>, ttl: Option<Duration>, now: i64) -> bool {
    let Some(ttl) = ttl else { return stored.is_some() };
    let due = now.saturating_add(ttl.as_millis().try_into().unwrap_or(i64::MAX));
    let slack = (ttl / 20).min(Duration::from_secs(1));
    stored.is_none_or(|expires_at| u128::from(due.abs_diff(expires_at)) > slack.as_millis())
}
