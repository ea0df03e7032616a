//! A retrieved passage as clients see it, as the prompt numbers it and as the session keeps it. Plain data: retrieval
//! makes it, the answer marks what it cited.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One of a turn's `source_documents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceDocument {
    /// The number that `[n]` in the answer refers to, from 1.
    pub n: usize,
    /// The chunk's id.
    pub id: Uuid,
    pub document_id: Uuid,
    pub title: String,
    pub source: String,
    pub page: Option<u32>,
    /// `Intro > What it is`.
    pub heading: Option<String>,
    /// Offsets of `text` in the document's extracted text, in Unicode code points, `start..end`.
    pub start: usize,
    pub end: usize,
    pub text: String,
    /// Whether `text` is only the beginning of `start..end`, as in a session that had no room for more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub text_truncated: bool,
    /// The fused score of the hybrid search; comparable within one answer only.
    pub score: f32,
    /// Whether the answer cites it.
    pub cited: bool,
}
