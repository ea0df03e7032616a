//! `/documents`: list, read and delete what was ingested.

use axum::Json;
use axum::extract::State;
use footnote_knowledge::collection::{Chunk, Document, Filter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::AppState;
use super::error::ApiError;
use super::path::{DocumentPath, PageSize, UrlQuery};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    cursor: Option<String>,
    #[serde(default)]
    limit: PageSize,
    tag: Option<String>,
    source: Option<String>,
}

#[derive(Serialize)]
pub(super) struct DocumentPage {
    documents: Vec<Document>,
    /// Send it as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
pub(super) struct DocumentChunks {
    document_id: Uuid,
    /// In the order of the document.
    chunks: Vec<Chunk>,
}

pub(super) async fn list(
    State(app): State<AppState>,
    UrlQuery(parameters): UrlQuery<ListParameters>,
) -> Result<Json<DocumentPage>, ApiError> {
    let ListParameters { cursor, limit, tag, source } = parameters;
    let filter = Filter { tags: Vec::from_iter(tag), sources: Vec::from_iter(source), ..Filter::default() };
    let opened = app.library.open().await?;
    let collection = &opened.collection;
    let page = collection.documents(&filter, cursor.as_deref(), limit.get()).await?;
    Ok(Json(DocumentPage { documents: page.items, next_cursor: page.next }))
}

pub(super) async fn read(
    State(app): State<AppState>,
    DocumentPath(id): DocumentPath,
) -> Result<Json<Document>, ApiError> {
    app.library.open().await?.collection.document(id).await?.map(Json).ok_or_else(|| no_such_document(id))
}

pub(super) async fn chunks(
    State(app): State<AppState>,
    DocumentPath(id): DocumentPath,
) -> Result<Json<DocumentChunks>, ApiError> {
    let opened = app.library.open().await?;
    let collection = &opened.collection;
    if collection.document(id).await?.is_none() {
        return Err(no_such_document(id));
    }
    Ok(Json(DocumentChunks { document_id: id, chunks: collection.chunks(id).await? }))
}

pub(super) async fn delete(
    State(app): State<AppState>,
    DocumentPath(id): DocumentPath,
) -> Result<Json<Value>, ApiError> {
    if app.library.open().await?.collection.delete_document(id).await? {
        Ok(Json(json!({"document_id": id, "deleted": true})))
    } else {
        Err(no_such_document(id))
    }
}

fn no_such_document(id: Uuid) -> ApiError {
    ApiError::no_such("document", &id.to_string())
}
