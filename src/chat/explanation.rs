//! What happened in a turn, for whoever asks why an answer is as it is.

use serde::Serialize;

use crate::llm::prompt::Prompt;
use crate::retrieval::{Considered, Retrieved};

/// `explain` of the response.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Whether the message was taken to need the conversation, and why.
    pub depends: bool,
    pub reasons: Vec<&'static str>,
    /// The question that was embedded and whose words were searched for.
    pub searched_for: String,
    /// How many earlier messages counted a little in the search.
    pub messages_in_context: usize,
    /// Everything that was ranked, with ranks and scores, and why it was dropped if it was.
    pub candidates: Vec<Considered>,
    /// What the model was sent; none of the extractive answerer.
    pub prompt: Option<Prompt>,
}

impl Explanation {
    pub(super) fn of(retrieved: &Retrieved, candidates: Vec<Considered>, prompt: Option<Prompt>) -> Self {
        Self {
            depends: retrieved.question.depends,
            reasons: retrieved.question.reasons.clone(),
            searched_for: retrieved.searched_for.clone(),
            messages_in_context: retrieved.messages_in_context,
            candidates,
            prompt,
        }
    }
}
