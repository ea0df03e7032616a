//! Documents and chunks as points, and back: the one place that knows the payload's fields.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Chunk, Document, Metadata};
use super::error::Error;
use crate::vector_store::{
    CollectionSchema, Condition, FieldKind, Payload, Point, SparseVector, StoredPoint, text_field,
};

pub(super) const KIND: &str = "kind";
pub(super) const TENANT: &str = "tenant";
pub(super) const DOCUMENT_ID: &str = "document_id";
pub(super) const VERSION: &str = "version";
pub(super) const TAGS: &str = "tags";
pub(super) const INGESTED_AT: &str = "ingested_at";
/// Of a document: the version that searches see.
pub(super) const CURRENT: &str = "current";

/// Every folder that the document is in, from the root down: `handbook`, `handbook/hr`.
pub(super) const FOLDERS: &str = "folders";
/// What its metadata says, as `name=value`.
pub(super) const FACTS: &str = "facts";
pub(super) const MODIFIED_AT: &str = "modified_at";

/// Of a document.
pub(super) const CONTENT_HASH: &str = "content_hash";

const DOCUMENT: &str = "document";
const CHUNK: &str = "chunk";
const ROOT: &str = "root";
const FOLDER: &str = "folder";
const PREDECESSOR: &str = "predecessor";

/// The only tenant there is so far; every filter names it, so that a second one can never see the first one's text.
const DEFAULT_TENANT: &str = "default";

pub(super) fn schema(dimension: usize) -> CollectionSchema {
    let filtered = [
        (KIND, FieldKind::Keyword),
        (TENANT, FieldKind::Keyword),
        (DOCUMENT_ID, FieldKind::Uuid),
        (VERSION, FieldKind::Keyword),
        (TAGS, FieldKind::Keyword),
        (INGESTED_AT, FieldKind::Timestamp),
        (FOLDERS, FieldKind::Keyword),
        (FACTS, FieldKind::Keyword),
        (MODIFIED_AT, FieldKind::Timestamp),
        (CONTENT_HASH, FieldKind::Keyword),
    ];
    CollectionSchema { dimension, filtered: filtered.into(), beside_others: [VERSION].into() }
}

pub(super) fn our_tenant() -> Condition {
    Condition::is(TENANT, DEFAULT_TENANT)
}

pub(super) fn is_document() -> Condition {
    Condition::is(KIND, DOCUMENT)
}

pub(super) fn is_chunk() -> Condition {
    Condition::is(KIND, CHUNK)
}

pub(super) fn is_predecessor() -> Condition {
    Condition::is(KIND, PREDECESSOR)
}

pub(super) fn of_document(id: Uuid) -> Condition {
    Condition::is(DOCUMENT_ID, id.to_string())
}

pub(super) fn of_version(version: &str) -> Condition {
    Condition::is(VERSION, version)
}

pub(super) fn document_point(document: &Document) -> Point {
    let payload = json!({
        KIND: DOCUMENT,
        TENANT: DEFAULT_TENANT,
        DOCUMENT_ID: document.id,
        CURRENT: document.version,
        TAGS: document.tags,
        INGESTED_AT: document.ingested_at,
        "source": document.source,
        "title": document.title,
        CONTENT_HASH: document.content_hash,
        "chunk_count": document.chunk_count,
        "metadata": document.metadata,
    });
    let mut payload = into_payload(payload);
    payload.extend(found_by(&document.source, &document.metadata));
    Point { id: document.id, dense: None, sparse: None, payload }
}

/// `metadata` is the document's.
pub(super) fn chunk_point(chunk: &Chunk, metadata: &Metadata, dense: Vec<f32>, sparse: SparseVector) -> Point {
    let payload = json!({
        KIND: CHUNK,
        TENANT: DEFAULT_TENANT,
        DOCUMENT_ID: chunk.document_id,
        VERSION: chunk.version,
        TAGS: chunk.tags,
        INGESTED_AT: chunk.ingested_at,
        "source": chunk.source,
        "title": chunk.title,
        "heading": chunk.heading,
        "page": chunk.page,
        "number": chunk.number,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
    });
    // A text of stop words only has no tokens, and no sparse vector.
    let sparse = Some(sparse).filter(|sparse| !sparse.indices.is_empty());
    let mut payload = into_payload(payload);
    payload.extend(found_by(&chunk.source, metadata));
    Point { id: chunk.id, dense: Some(dense), sparse, payload }
}

/// What filters look at, in a shape that they can look at.
fn found_by(source: &str, metadata: &Metadata) -> Payload {
    let folders: Vec<&str> = source.match_indices('/').map(|(end, _)| &source[..end]).collect();
    let facts: Vec<String> = metadata.iter().flat_map(|(name, value)| facts(name, value)).collect();
    let modified_at = metadata.get(MODIFIED_AT).and_then(Value::as_str);
    into_payload(json!({FOLDERS: folders, FACTS: facts, MODIFIED_AT: modified_at}))
}

/// One for each value of a list.
fn facts(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(|value| facts(name, value)).collect(),
        Value::String(text) => vec![fact(name, text)],
        Value::Bool(_) | Value::Number(_) => vec![fact(name, &value.to_string())],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

pub(super) fn fact(name: &str, value: &str) -> String {
    format!("{name}={value}")
}

pub(super) fn root_point(id: Uuid, name: &str, folder: &str) -> Point {
    let payload = json!({KIND: ROOT, TENANT: DEFAULT_TENANT, "name": name, FOLDER: folder});
    Point { id, dense: None, sparse: None, payload: into_payload(payload) }
}

pub(super) fn read_root_folder(point: StoredPoint) -> Option<String> {
    text_field(&point.payload, FOLDER).map(str::to_owned)
}

/// The stored collection that ours took the place of at that time.
pub(super) fn predecessor_point(id: Uuid, collection: &str, replaced_at: Timestamp) -> Point {
    let payload =
        json!({KIND: PREDECESSOR, TENANT: DEFAULT_TENANT, "collection": collection, INGESTED_AT: replaced_at});
    Point { id, dense: None, sparse: None, payload: into_payload(payload) }
}

/// A stored collection in whose place ours came.
#[derive(Debug, Deserialize)]
pub(super) struct Predecessor {
    pub(super) collection: String,
    #[serde(rename = "ingested_at")]
    pub(super) replaced_at: Timestamp,
}

pub(super) fn read_predecessor(point: StoredPoint) -> Result<Predecessor, Error> {
    read(point.id, point.payload)
}

fn into_payload(value: Value) -> Payload {
    match value {
        Value::Object(payload) => payload,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unreachable!("written as an object just above")
        }
    }
}

pub(super) fn read_document(point: StoredPoint) -> Result<Document, Error> {
    let mut payload = point.payload;
    payload.insert("id".to_owned(), json!(point.id));
    if let Some(current) = payload.remove(CURRENT) {
        payload.insert(VERSION.to_owned(), current);
    }
    read(point.id, payload)
}

pub(super) fn read_chunk(point: StoredPoint) -> Result<Chunk, Error> {
    let mut payload = point.payload;
    payload.insert("id".to_owned(), json!(point.id));
    read(point.id, payload)
}

fn read<T: DeserializeOwned>(id: Uuid, payload: Payload) -> Result<T, Error> {
    T::deserialize(Value::Object(payload).into_deserializer())
        .map_err(|error: serde_json::Error| Error::InvalidPoint { id, message: error.to_string() })
}

/// Which version of which document a chunk belongs to, and when it was written.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    pub(super) document_id: Uuid,
    pub(super) version: String,
    pub(super) ingested_at: Timestamp,
}

pub(super) fn read_written(chunk: StoredPoint) -> Result<Written, Error> {
    read(chunk.id, chunk.payload)
}

/// The version of a document that searches see, and since when.
#[derive(Debug, Deserialize)]
pub(super) struct Current {
    #[serde(rename = "current")]
    pub(super) version: String,
    pub(super) ingested_at: Timestamp,
}

pub(super) fn read_current(document: StoredPoint) -> Result<Current, Error> {
    read(document.id, document.payload)
}

pub(super) fn read_written_at(id: Uuid, payload: &Payload) -> Result<Timestamp, Error> {
    let time = text_field(payload, INGESTED_AT).unwrap_or_default();
    time.parse().map_err(|error: jiff::Error| Error::InvalidPoint { id, message: error.to_string() })
}

/// Now, as precisely as both engines compare times.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).expect("now is a timestamp")
}
