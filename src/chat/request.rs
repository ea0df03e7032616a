//! What a client asks for in one turn, once it is known to be valid.

use footnote_knowledge::collection::{Filter, Selection};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::sessions::{IdempotentRequest, SessionKey};

/// A question's text: 1 byte to [`Question::MAX_BYTES`], not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question(String);

impl Question {
    pub const MAX_BYTES: usize = 32 * 1024;

    pub fn parse(text: String) -> Result<Self, InvalidQuestion> {
        if text.trim().is_empty() {
            Err(InvalidQuestion::Blank)
        } else if text.len() > Self::MAX_BYTES {
            Err(InvalidQuestion::TooLong { bytes: text.len() })
        } else {
            Ok(Self(text))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidQuestion {
    #[error("is empty; send a question of at least one visible character")]
    Blank,
    #[error("has {bytes} bytes; send at most {} (32 KiB)", Question::MAX_BYTES)]
    TooLong { bytes: usize },
}

/// How many passages to retrieve: 1 to 50, 4 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TopK(usize);

impl TopK {
    pub const MAX: usize = 50;

    pub fn get(self) -> usize {
        self.0
    }
}

impl Default for TopK {
    fn default() -> Self {
        Self(4)
    }
}

impl<'de> Deserialize<'de> for TopK {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let count = given.as_u64().and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| (1..=Self::MAX).contains(count));
        count.map(Self).ok_or_else(|| D::Error::custom(format!("{given} is no whole number from 1 to {}", Self::MAX)))
    }
}

/// One turn to be answered.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    pub question: Question,
    pub session: SessionKey,
    /// Whether earlier messages may be used; the turn is saved either way.
    pub use_history: bool,
    pub top_k: TopK,
    pub filter: Filter,
    pub selection: Selection,
    /// Set if the client may send this request more than once and wants it answered once.
    pub idempotency: Option<IdempotentRequest>,
    /// Whether the response tells what led to it.
    pub explain: bool,
}
