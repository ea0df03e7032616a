//! What a conversation is made of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::idempotency::StoredAnswer;
use super::stored_sources;
use crate::source_document::SourceDocument;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    User,
    Assistant,
}

/// One message, as stores keep it and clients read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
    pub created_at: Timestamp,
    /// Both messages of a turn have its id.
    pub turn_id: Uuid,
    /// What the answer was made from; on an assistant's message only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_documents: Option<Vec<SourceDocument>>,
}

impl Message {
    /// About how much memory the message takes.
    pub(super) fn bytes(&self) -> usize {
        let sources = self.source_documents.iter().flatten();
        let of_sources = sources.map(|source| {
            let heading = source.heading.as_ref().map_or(0, String::len);
            size_of::<SourceDocument>() + source.title.len() + source.source.len() + source.text.len() + heading
        });
        size_of::<Self>() + self.content.len() + of_sources.sum::<usize>()
    }
}

/// A question and its answer: what is saved, as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub turn_id: Uuid,
    pub user: Message,
    pub assistant: Message,
    /// For a request with an `Idempotency-Key`.
    pub stored_answer: Option<StoredAnswer>,
}

impl Turn {
    /// The answer's sources, as they are kept.
    pub fn sources(&self) -> &[SourceDocument] {
        self.assistant.source_documents.as_deref().unwrap_or_default()
    }

    /// `asked_at` is when the question came in. A session that is deleted after it does not get this turn. Of the sources,
    /// texts beyond [`stored_sources::LIMIT_BYTES`] are cut.
    pub fn new(
        asked_at: Timestamp,
        question: String,
        answered_at: Timestamp,
        answer: String,
        sources: Vec<SourceDocument>,
    ) -> Self {
        let turn_id = Uuid::new_v4();
        let message = |role, content, created_at, source_documents| Message {
            role,
            content,
            created_at,
            turn_id,
            source_documents,
        };
        Self {
            turn_id,
            user: message(Role::User, question, asked_at, None),
            assistant: message(Role::Assistant, answer, answered_at, Some(stored_sources::fit(sources))),
            stored_answer: None,
        }
    }
}
