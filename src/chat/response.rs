//! What one turn gives back, in the shape clients see.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::citations::Citation;
use super::explanation::Explanation;
use super::history::HistoryUse;
use crate::llm::{ContextUse, Finish, Usage};
use crate::sessions::{Backend, Saved};
use crate::source_document::SourceDocument;

/// The answer to one turn, with its sources and with flags that say whether, and where, the turn was saved.
#[derive(Debug, Clone, Serialize)]
pub struct ChatResponse {
    pub response: String,
    pub source_documents: Vec<SourceDocument>,
    pub user_id: String,
    /// Messages ever appended to the session, this turn's two included.
    pub conversation_length: u64,
    /// True only when the store acknowledged this very turn.
    pub session_persisted: bool,
    /// Where the session is now: what happened, never a configured name.
    pub backend: Backend,
    pub turn_id: Uuid,
    /// `extractive`, or the model's name.
    pub answered_by: String,
    /// Why the answer ended: anything but `stop` means that it is cut.
    pub finish_reason: Finish,
    pub abstained: bool,
    pub standalone_question: String,
    pub citations: Vec<Citation>,
    /// `[start, end]` of each sentence of the response that cites nothing, in code points; none of an abstention.
    pub uncited: Vec<[usize; 2]>,
    /// How many numbers in brackets named no source and were taken out.
    pub removed_markers: usize,
    /// Whether the passages have the reranker's order; absent where there is no reranker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranked: Option<bool>,
    pub history: HistoryUse,
    /// What the prompt had no room for; absent where no model is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextUse>,
    pub usage: Usage,
    pub timings_ms: Timings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explanation>,
}

impl ChatResponse {
    /// The response as it is kept for a request that may come again, with its sources as the session keeps them.
    pub(super) fn to_stored(&self, sources: &[SourceDocument]) -> String {
        // Written in one go: as a `Value`, a score would have more digits than the response.
        let stored = Self { source_documents: sources.to_vec(), ..self.clone() };
        serde_json::to_string(&stored).expect("a response is strings and numbers")
    }
}

/// The inverse of [`ChatResponse::to_stored`], with what is now known of how the turn was saved. As JSON, since an
/// earlier version of this server may have written it.
pub(super) fn replayed(stored: &str, saved: Saved) -> Result<Value, serde_json::Error> {
    let mut response: Value = serde_json::from_str(stored)?;
    let Saved { persisted, backend, conversation_length, .. } = saved;
    response["conversation_length"] = json!(conversation_length);
    response["session_persisted"] = json!(persisted);
    response["backend"] = json!(backend);
    Ok(response)
}

/// Milliseconds spent in each step of the turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timings {
    pub session: f64,
    /// Rewriting a follow-up question; zero where the model was not asked to.
    pub condense: f64,
    pub embed: f64,
    pub search: f64,
    /// Zero where there is no reranker.
    pub rerank: f64,
    pub llm: f64,
    pub save: f64,
}

impl Timings {
    /// Each step of the turn by its name.
    pub fn steps(&self) -> [(&'static str, f64); 7] {
        let Self { session, condense, embed, search, rerank, llm, save } = *self;
        [
            ("session", session),
            ("condense", condense),
            ("embed", embed),
            ("search", search),
            ("rerank", rerank),
            ("llm", llm),
            ("save", save),
        ]
    }
}

/// What a listener hears while a turn is under way. Exactly one of [`TurnEvent::Done`], [`TurnEvent::Replayed`] and
/// [`TurnEvent::Failed`] comes, and it is the last.
#[derive(Debug)]
pub enum TurnEvent {
    /// Before the first word of the answer.
    Sources {
        user_id: String,
        source_documents: Vec<SourceDocument>,
    },
    Delta(String),
    /// After the turn was saved, or could not be.
    Done(Box<ChatResponse>),
    /// Instead of all others, if the same request was answered before: that [`ChatResponse`] as JSON, with the flags that
    /// are true now.
    Replayed(Box<Value>),
    Failed(super::Error),
}
