//! What a client asks for in one turn, once it is known to be valid.

use footnote_knowledge::collection::{Filter, Selection};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopK(usize);

impl TopK {
    pub const MAX: usize = 50;

    pub fn parse(count: usize) -> Result<Self, InvalidTopK> {
        if (1..=Self::MAX).contains(&count) { Ok(Self(count)) } else { Err(InvalidTopK { count }) }
    }

    pub fn get(self) -> usize {
        self.0
    }
}

impl Default for TopK {
    fn default() -> Self {
        Self(4)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("is {count}; send a number from 1 to {}", TopK::MAX)]
pub struct InvalidTopK {
    count: usize,
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
