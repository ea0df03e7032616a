//! A whole session as it travels from one store to another: a line of JSON, of the same names as `GET /sessions/{id}`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::Error;
use super::key::SessionKey;
use super::message::{Message, Role};
use super::record::{LastAppend, METADATA_LIMIT, Record};
use super::session::Session;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportedSession {
    #[serde(default = "default_tenant")]
    pub tenant: String,
    pub session_id: String,
    pub messages: Vec<Message>,
    pub created_at: Timestamp,
    pub last_activity: Timestamp,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Messages ever appended; more than there are, if old ones were trimmed.
    #[serde(default)]
    pub conversation_length: u64,
}

/// What became of a session that was to be put into a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    Added,
    /// There was one of the same name, and it was left as it is.
    AlreadyThere,
}

impl ExportedSession {
    pub(super) fn of(key: &SessionKey, session: Session) -> Self {
        Self {
            tenant: key.tenant().to_owned(),
            session_id: session.session_id,
            messages: session.messages.iter().map(|message| message.as_ref().clone()).collect(),
            created_at: session.created_at,
            last_activity: session.last_activity,
            metadata: session.metadata,
            conversation_length: session.length,
        }
    }

    /// Its name, if the session is one that a store could have made.
    pub(super) fn check(&self) -> Result<SessionKey, Error> {
        let invalid = |reason: String| Error::InvalidSession(reason);
        let key = SessionKey::in_tenant(&self.tenant, &self.session_id)
            .map_err(|error| invalid(format!("its `session_id` or `tenant` {error}")))?;
        if self.messages.is_empty() {
            return Err(invalid("it has no messages".into()));
        }
        for turn in self.messages.chunks(2) {
            let whole = matches!(turn, [user, assistant] if user.role == Role::User
                && assistant.role == Role::Assistant && user.turn_id == assistant.turn_id);
            if !whole {
                let turn_id = turn[0].turn_id;
                return Err(invalid(format!("turn {turn_id} is not a user's message and its answer, side by side")));
            }
        }
        let metadata = serde_json::to_vec(&self.metadata).map_or(usize::MAX, |json| json.len());
        if metadata > METADATA_LIMIT {
            return Err(invalid(format!("its `metadata` takes {metadata} bytes, more than {METADATA_LIMIT}")));
        }
        Ok(key)
    }

    /// As the stores in this process keep it, with the messages that a store keeps: the newest `max_messages`.
    pub(super) fn into_record(mut self, max_messages: usize) -> (Record, Vec<Message>) {
        let excess = self.messages.len().saturating_sub(max_messages).next_multiple_of(2);
        let length = self.conversation_length.max(self.messages.len() as u64).next_multiple_of(2);
        self.messages.drain(..excess);
        let record = Record {
            // Another session than the one that was exported: what was read there says nothing about it.
            epoch: Uuid::new_v4(),
            seq: length,
            trimmed: length - self.messages.len() as u64,
            created_at: self.created_at.as_millisecond(),
            last_activity: self.last_activity.as_millisecond(),
            metadata: self.metadata,
            last_append: LastAppend { writer: Uuid::nil(), number: 0 },
        };
        (record, self.messages)
    }
}

fn default_tenant() -> String {
    SessionKey::DEFAULT_TENANT.to_owned()
}
