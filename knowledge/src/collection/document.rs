//! Documents and chunks as the rest of Footnote sees them, free of any store's types.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// What is known of a document beside its text: `modified_at`, and what its front matter says.
pub type Metadata = BTreeMap<String, serde_json::Value>;

/// A document in the collection, as its one `kind: document` point tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// UUIDv5 of the collection's name and `source`: the same on every machine.
    pub id: Uuid,
    /// `<root name>/<relative path>`, with `/` on every system.
    pub source: String,
    pub title: String,
    /// SHA-256 of the file's bytes, in hex.
    pub content_hash: String,
    /// The version that searches see; chunks of any other are invisible.
    pub version: String,
    pub chunk_count: usize,
    pub tags: Vec<String>,
    pub ingested_at: Timestamp,
    #[serde(default)]
    pub metadata: Metadata,
}

/// A passage of a document: the unit that is embedded, retrieved and cited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// UUIDv5 of the collection's name, source, version and `number`.
    pub id: Uuid,
    pub document_id: Uuid,
    pub source: String,
    pub title: String,
    /// `Intro > What it is`.
    pub heading: Option<String>,
    /// 1-based, for formats that have pages.
    pub page: Option<u32>,
    /// Place in the document, from 0.
    pub number: usize,
    /// Offsets into the document's extracted text, in Unicode code points, `start..end`.
    pub start: usize,
    pub end: usize,
    pub text: String,
    pub version: String,
    pub tags: Vec<String>,
    pub ingested_at: Timestamp,
}

/// A chunk as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddedChunk {
    pub chunk: Chunk,
    /// The dense one.
    pub vector: Vec<f32>,
}

/// A document about to be written: what `ingest` hands over once its chunks are embedded.
#[derive(Debug, Clone)]
pub struct NewDocument {
    pub source: String,
    pub title: String,
    pub content_hash: String,
    /// Hash of the content, the extractor and the chunker: tells whether a re-ingest would change anything.
    pub version: String,
    pub tags: Vec<String>,
    pub metadata: Metadata,
    /// In order; together they cover the extracted text without gaps.
    pub chunks: Vec<NewChunk>,
}

/// A chunk with its dense vector; the sparse one is made where the collection's BM25 settings are known.
#[derive(Debug, Clone)]
pub struct NewChunk {
    pub heading: Option<String>,
    pub page: Option<u32>,
    pub start: usize,
    pub end: usize,
    pub text: String,
    pub embedding: Vec<f32>,
}

/// An empty list, of what a user may see for example, must not be taken for none.
fn not_empty<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let values = Vec::deserialize(deserializer)?;
    if values.is_empty() {
        return Err(D::Error::custom("an empty list matches nothing; leave it out to match everything"));
    }
    Ok(values)
}

/// What a caller may restrict a search or listing to. All given conditions must hold; within one, any value may match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    #[serde(deserialize_with = "not_empty")]
    pub tags: Vec<String>,
    /// Exact `source` values.
    #[serde(deserialize_with = "not_empty")]
    pub sources: Vec<String>,
    #[serde(deserialize_with = "not_empty")]
    pub document_ids: Vec<Uuid>,
    /// In one of these folders or below, as `handbook/hr`; the first part is the name of the root.
    #[serde(deserialize_with = "not_empty")]
    pub folders: Vec<String>,
    /// Each of these is said by the document's metadata, which may say more.
    pub metadata: BTreeMap<String, String>,
    /// The file was changed at this time or later.
    pub modified_after: Option<Timestamp>,
    /// The file was changed at this time or earlier.
    pub modified_before: Option<Timestamp>,
    /// Ingested at this time or later.
    pub ingested_after: Option<Timestamp>,
    /// Ingested at this time or earlier.
    pub ingested_before: Option<Timestamp>,
}
