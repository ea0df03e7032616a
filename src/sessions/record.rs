//! The rules of appending, as the stores in this process apply them to a session's record. `redis/append.lua` is the
//! same in Lua.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::Error;
use super::listing::timestamp;
use super::message::Message;
use super::session::Seen;
use super::store::{Append, Appended, Messages, Present, ReadRequest};

/// The most that a session's metadata may take as JSON, in bytes.
pub(super) const METADATA_LIMIT: usize = 16 << 10;

/// What is kept of a session beside its messages. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// A session made again under the same id has another one.
    pub(super) epoch: Uuid,
    /// Messages ever appended.
    pub(super) seq: u64,
    /// How many of them were trimmed; the rest must be there, or the session is damaged.
    pub(super) trimmed: u64,
    pub(super) created_at: i64,
    pub(super) last_activity: i64,
    pub(super) metadata: Map<String, Value>,
    /// The last append. One process writes at a time and its appends are in order, so no other can be repeated.
    pub(super) last_append: LastAppend,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastAppend {
    pub(super) writer: Uuid,
    pub(super) number: u64,
}

impl Record {
    pub(super) fn appended(&self) -> Appended {
        Appended::Saved { epoch: self.epoch, seq: self.seq, trimmed: self.trimmed }
    }

    pub(super) fn present(self, deleted: Option<Tombstone>, request: ReadRequest, messages: Messages) -> Present {
        Present {
            epoch: self.epoch,
            seq: self.seq,
            trimmed: self.trimmed,
            deleted: deleted.map(|tombstone| tombstone.epoch),
            created_at: timestamp(self.created_at),
            last_activity: timestamp(self.last_activity),
            metadata: if request.metadata { self.metadata } else { Map::new() },
            messages,
        }
    }
}

/// What is left of a deleted session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    pub(super) epoch: Uuid,
    pub(super) deleted_at: i64,
}

#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Put the two messages at `seq - 2`, drop those before `trimmed`, and keep this record.
    Extend(Record),
    /// Change nothing.
    Done(Appended),
}

/// Decides what an append does to a session that is in this state.
pub(super) fn decide(
    record: Option<&Record>,
    tombstone: Option<Tombstone>,
    append: &Append,
    max_messages: usize,
) -> Decision {
    let current_epoch = record.map(|record| record.epoch);
    if tombstone.is_some_and(|tombstone| began_before_deletion(append, current_epoch, tombstone)) {
        return Decision::Done(Appended::Deleted);
    }
    if let Some(record) = record
        && record.last_append.writer == append.writer
        && append.number <= record.last_append.number
    {
        return Decision::Done(Appended::Repeated { seq: record.seq });
    }
    Decision::Extend(extend(record, append, max_messages))
}

/// A turn that saw the present epoch, or this very tombstone, began after the deletion. One that saw nothing, because
/// the store was down, can only be judged by its time.
fn began_before_deletion(append: &Append, current_epoch: Option<Uuid>, tombstone: Tombstone) -> bool {
    match append.seen {
        Seen(Some(seen)) => {
            let saw_present = seen.epoch.is_some() && seen.epoch == current_epoch;
            !saw_present && seen.deleted != Some(tombstone.epoch)
        }
        Seen(None) => append.asked_at().as_millisecond() <= tombstone.deleted_at,
    }
}

/// Which messages answer a request: those from number `from` (counted from 0 over all ever appended) to the newest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    /// Whether they come right behind what the caller knows.
    pub(super) continues: bool,
}

impl Span {
    pub(super) fn answering(request: ReadRequest, record: &Record) -> Self {
        let oldest_wanted = record.trimmed.max(record.seq.saturating_sub(request.newest as u64));
        let known = request.known.filter(|known| known.epoch == record.epoch);
        match known.filter(|known| (oldest_wanted..=record.seq).contains(&known.seq)) {
            Some(known) => Self { from: known.seq, continues: true },
            None => Self { from: oldest_wanted, continues: false },
        }
    }

    pub(super) fn messages(&self, messages: Vec<Arc<Message>>) -> Messages {
        if self.continues { Messages::Since(messages) } else { Messages::Newest(messages) }
    }
}

fn extend(record: Option<&Record>, append: &Append, max_messages: usize) -> Record {
    let (asked_at, answered_at) = (append.asked_at().as_millisecond(), append.answered_at().as_millisecond());
    let last_append = LastAppend { writer: append.writer, number: append.number };
    let mut record = record.cloned().unwrap_or_else(|| Record {
        epoch: append.epoch_if_new,
        seq: 0,
        trimmed: 0,
        created_at: asked_at,
        last_activity: answered_at,
        metadata: Map::new(),
        last_append,
    });
    record.seq += 2;
    record.last_activity = record.last_activity.max(answered_at);
    record.last_append = last_append;
    let excess = (record.seq - record.trimmed).saturating_sub(max_messages as u64);
    record.trimmed += excess.next_multiple_of(2);
    record
}

/// Merges `patch` as RFC 7396 says: null removes, objects merge, anything else replaces.
pub(super) fn merge_metadata(metadata: &mut Map<String, Value>, patch: Map<String, Value>) -> Result<(), Error> {
    merge(metadata, patch);
    let bytes = serde_json::to_vec(metadata).map_err(|error| Error::InvalidMetadata(error.to_string()))?.len();
    if bytes > METADATA_LIMIT {
        return Err(Error::InvalidMetadata(format!("takes {bytes} bytes, more than {METADATA_LIMIT}")));
    }
    Ok(())
}

fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(&name);
            }
            Value::Object(patch) => {
                let entry = target.entry(name).or_insert(Value::Null);
                if !entry.is_object() {
                    *entry = Value::Object(Map::new());
                }
                if let Value::Object(inner) = entry {
                    merge(inner, patch);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                target.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
