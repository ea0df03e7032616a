//! Changing sessions, inside a transaction that the writer commits.
//!
//! A session that is damaged, or a request that is refused, is found before anything is changed, so that the other
//! changes in the transaction can still be committed.

use std::time::Duration;

use redb::{ReadableTable, Table, WriteTransaction};
use serde_json::{Map, Value};

use super::tables::{
    BY_ACTIVITY, BY_EXPIRY, COUNTERS, LAST_CHECK, MESSAGES, NEXT_SESSION, SESSIONS, StoredSession, TOMBSTONES, TURNS,
};
use crate::sessions::database_file::{engine, from_json, to_json};
use crate::sessions::error::Error;
use crate::sessions::idempotency::ANSWER_LIFE;
use crate::sessions::key::SessionKey;
use crate::sessions::record::{Decision, Record, Tombstone, decide, merge_metadata};
use crate::sessions::store::{Append, Appended, TOMBSTONE_LIFE};
use crate::sessions::transfer::{ExportedSession, Imported};

pub(super) struct Tables<'transaction> {
    sessions: Table<'transaction, &'static str, &'static [u8]>,
    messages: Table<'transaction, (u64, u64), &'static [u8]>,
    by_activity: Table<'transaction, (&'static str, i64, &'static str), ()>,
    by_expiry: Table<'transaction, (i64, &'static str), (&'static str, &'static str)>,
    tombstones: Table<'transaction, &'static str, &'static [u8]>,
    turns: Table<'transaction, (u64, &'static str), (i64, &'static [u8])>,
    counters: Table<'transaction, &'static str, u64>,
    ttl: Option<Duration>,
    now: i64,
}

impl<'transaction> Tables<'transaction> {
    pub(super) fn open(
        transaction: &'transaction WriteTransaction,
        ttl: Option<Duration>,
        now: i64,
    ) -> Result<Self, Error> {
        Ok(Self {
            sessions: transaction.open_table(SESSIONS).map_err(engine)?,
            messages: transaction.open_table(MESSAGES).map_err(engine)?,
            by_activity: transaction.open_table(BY_ACTIVITY).map_err(engine)?,
            by_expiry: transaction.open_table(BY_EXPIRY).map_err(engine)?,
            tombstones: transaction.open_table(TOMBSTONES).map_err(engine)?,
            turns: transaction.open_table(TURNS).map_err(engine)?,
            counters: transaction.open_table(COUNTERS).map_err(engine)?,
            ttl,
            now,
        })
    }

    pub(super) fn append(&mut self, key: &SessionKey, append: &Append, max_messages: usize) -> Result<Appended, Error> {
        let stored = self.session(key)?;
        let tombstone = self.tombstone(key)?;
        let present = stored.as_ref().filter(|session| !session.is_expired(self.now));
        if let Some(session) = present {
            self.check_newest_message(session)?;
        }
        let record = match decide(present.map(|session| &session.record), tombstone, append, max_messages) {
            Decision::Done(appended) => return Ok(appended),
            Decision::Extend(record) => record,
        };
        let (user, assistant) = (to_json(&*append.user)?, to_json(&*append.assistant)?);

        let (number, trimmed_before) = match (present, &stored) {
            (Some(session), _) => (session.number, session.record.trimmed),
            (None, Some(expired)) => {
                self.remove(key, expired)?;
                (self.next_session()?, 0)
            }
            (None, None) => (self.next_session()?, 0),
        };
        let before = stored.filter(|session| session.number == number);
        self.messages.insert((number, record.seq - 2), user.as_slice()).map_err(engine)?;
        self.messages.insert((number, record.seq - 1), assistant.as_slice()).map_err(engine)?;
        for trimmed in trimmed_before..record.trimmed {
            self.messages.remove((number, trimmed)).map_err(engine)?;
        }
        self.keep_answer(number, append, &record)?;
        let appended = record.appended();
        self.put(key, before.as_ref(), StoredSession { number, expires_at: self.expiry(), record })?;
        Ok(appended)
    }

    /// Only this process writes, so nobody else can have answered the same request.
    fn keep_answer(&mut self, number: u64, append: &Append, record: &Record) -> Result<(), Error> {
        let Some(answer) = &append.answer else { return Ok(()) };
        // Now and then, since it looks at every answer of the session.
        if record.seq.is_multiple_of(64) {
            let now = self.now;
            let of_session = (number, "")..(number + 1, "");
            self.turns.retain_in(of_session, |_, (kept_until, _)| kept_until > now).map_err(engine)?;
        }
        let kept_until = self.now.saturating_add(ANSWER_LIFE.as_millis() as i64);
        let json = to_json(&(answer, record.seq))?;
        self.turns.insert((number, answer.key.as_str()), (kept_until, json.as_slice())).map_err(engine)?;
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &SessionKey) -> Result<bool, Error> {
        let Some(session) = self.session(key)? else { return Ok(false) };
        if session.is_expired(self.now) {
            return Ok(false);
        }
        let tombstone = to_json(&Tombstone { epoch: session.record.epoch, deleted_at: self.now })?;
        self.remove(key, &session)?;
        self.tombstones.insert(key.to_string().as_str(), tombstone.as_slice()).map_err(engine)?;
        Ok(true)
    }

    pub(super) fn patch_metadata(&mut self, key: &SessionKey, patch: Map<String, Value>) -> Result<bool, Error> {
        let Some(before) = self.session(key)?.filter(|session| !session.is_expired(self.now)) else {
            return Ok(false);
        };
        let mut record = before.record.clone();
        merge_metadata(&mut record.metadata, patch)?;
        record.last_activity = record.last_activity.max(self.now);
        let after = StoredSession { number: before.number, expires_at: self.expiry(), record };
        self.put(key, Some(&before), after)?;
        Ok(true)
    }

    pub(super) fn import(
        &mut self,
        key: &SessionKey,
        session: ExportedSession,
        replace: bool,
        max_messages: usize,
    ) -> Result<Imported, Error> {
        if let Some(there) = self.session(key)? {
            if !replace && !there.is_expired(self.now) {
                return Ok(Imported::AlreadyThere);
            }
            self.remove(key, &there)?;
        }
        let (record, messages) = session.into_record(max_messages);
        let number = self.next_session()?;
        for (position, message) in (record.trimmed..).zip(&messages) {
            self.messages.insert((number, position), to_json(message)?.as_slice()).map_err(engine)?;
        }
        self.put(key, None, StoredSession { number, expires_at: self.expiry(), record })?;
        Ok(Imported::Added)
    }

    /// Writes a new expiry after a read.
    pub(super) fn prolong(&mut self, key: &SessionKey) -> Result<(), Error> {
        let Some(before) = self.session(key)?.filter(|session| !session.is_expired(self.now)) else {
            return Ok(());
        };
        let after = StoredSession { number: before.number, expires_at: self.expiry(), record: before.record.clone() };
        self.put(key, Some(&before), after)
    }

    /// Changes something that nobody reads, so that the commit has something to write.
    pub(super) fn touch(&mut self) -> Result<(), Error> {
        self.counters.insert(LAST_CHECK, self.now.unsigned_abs()).map_err(engine).map(drop)
    }

    /// Removes at most `limit` expired sessions and `limit` old tombstones; says how many.
    pub(super) fn sweep(&mut self, limit: usize) -> Result<usize, Error> {
        let mut expired = Vec::new();
        for entry in self.by_expiry.range(..(self.now + 1, "")).map_err(engine)?.take(limit) {
            let (_, session) = entry.map_err(engine)?;
            let (tenant, id) = session.value();
            expired.push(SessionKey::in_tenant(tenant, id).map_err(|error| Error::Damaged(error.to_string()))?);
        }
        for key in &expired {
            if let Some(session) = self.session(key)? {
                self.remove(key, &session)?;
            }
        }
        Ok(expired.len() + self.sweep_tombstones(limit)?)
    }

    fn sweep_tombstones(&mut self, limit: usize) -> Result<usize, Error> {
        let oldest = self.now - TOMBSTONE_LIFE.as_millis() as i64;
        let mut forgotten = Vec::new();
        for entry in self.tombstones.iter().map_err(engine)? {
            let (key, json) = entry.map_err(engine)?;
            let tombstone: Tombstone = from_json(json.value())?;
            if tombstone.deleted_at < oldest {
                forgotten.push(key.value().to_owned());
            }
            if forgotten.len() == limit {
                break;
            }
        }
        for key in &forgotten {
            self.tombstones.remove(key.as_str()).map_err(engine)?;
        }
        Ok(forgotten.len())
    }

    fn session(&self, key: &SessionKey) -> Result<Option<StoredSession>, Error> {
        let stored = self.sessions.get(key.to_string().as_str()).map_err(engine)?;
        stored.map(|json| from_json(json.value())).transpose()
    }

    fn tombstone(&self, key: &SessionKey) -> Result<Option<Tombstone>, Error> {
        let stored = self.tombstones.get(key.to_string().as_str()).map_err(engine)?;
        stored.map(|json| from_json(json.value())).transpose()
    }

    fn check_newest_message(&self, session: &StoredSession) -> Result<(), Error> {
        let newest = (session.number, session.record.seq - 1);
        match self.messages.get(newest).map_err(engine)? {
            Some(_) => Ok(()),
            None => Err(Error::Damaged("its newest message is missing".into())),
        }
    }

    fn next_session(&mut self) -> Result<u64, Error> {
        let number = self.counters.get(NEXT_SESSION).map_err(engine)?.map_or(0, |next| next.value());
        self.counters.insert(NEXT_SESSION, number + 1).map_err(engine)?;
        Ok(number)
    }

    fn expiry(&self) -> Option<i64> {
        self.ttl.map(|ttl| self.now.saturating_add(ttl.as_millis().try_into().unwrap_or(i64::MAX)))
    }

    fn put(&mut self, key: &SessionKey, before: Option<&StoredSession>, after: StoredSession) -> Result<(), Error> {
        let name = key.to_string();
        let json = to_json(&after)?;
        if let Some(before) = before {
            self.remove_from_indexes(key, before)?;
        }
        self.sessions.insert(name.as_str(), json.as_slice()).map_err(engine)?;
        let activity = (key.tenant(), after.record.last_activity, key.id());
        self.by_activity.insert(activity, ()).map_err(engine)?;
        if let Some(expires_at) = after.expires_at {
            self.by_expiry.insert((expires_at, name.as_str()), (key.tenant(), key.id())).map_err(engine)?;
        }
        Ok(())
    }

    fn remove(&mut self, key: &SessionKey, session: &StoredSession) -> Result<(), Error> {
        self.remove_from_indexes(key, session)?;
        self.sessions.remove(key.to_string().as_str()).map_err(engine)?;
        let messages = (session.number, 0)..(session.number, session.record.seq);
        self.messages.retain_in(messages, |_, _| false).map_err(engine)?;
        let answers = (session.number, "")..(session.number + 1, "");
        self.turns.retain_in(answers, |_, _| false).map_err(engine)
    }

    fn remove_from_indexes(&mut self, key: &SessionKey, session: &StoredSession) -> Result<(), Error> {
        let activity = (key.tenant(), session.record.last_activity, key.id());
        self.by_activity.remove(activity).map_err(engine)?;
        if let Some(expires_at) = session.expires_at {
            self.by_expiry.remove((expires_at, key.to_string().as_str())).map_err(engine)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
