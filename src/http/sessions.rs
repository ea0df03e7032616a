//! `/sessions`: list, read, describe and delete conversations.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AppState;
use super::access::MaySeeAllSessions;
use super::body::JsonBody;
use super::error::ApiError;
use super::path::{PageSize, SessionPath, UrlQuery};
use crate::sessions::{Session, SessionKey, SessionPage};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    cursor: Option<String>,
    #[serde(default)]
    limit: PageSize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchBody {
    metadata: Value,
}

pub(super) async fn list(
    State(app): State<AppState>,
    _: MaySeeAllSessions,
    UrlQuery(page): UrlQuery<ListParameters>,
) -> Result<Json<SessionPage>, ApiError> {
    Ok(Json(app.sessions.list(SessionKey::DEFAULT_TENANT, page.cursor.as_deref(), page.limit.get()).await?))
}

pub(super) async fn read(
    State(app): State<AppState>,
    SessionPath(session): SessionPath,
) -> Result<Json<Session>, ApiError> {
    app.sessions.read(&session).await?.map(Json).ok_or_else(|| ApiError::no_such("session", session.id()))
}

/// JSON Merge Patch (RFC 7396) of the metadata.
pub(super) async fn patch(
    State(app): State<AppState>,
    SessionPath(session): SessionPath,
    JsonBody(body): JsonBody<PatchBody>,
) -> Result<Json<Session>, ApiError> {
    let patched = app.sessions.patch_metadata(&session, body.metadata).await?;
    patched.map(Json).ok_or_else(|| ApiError::no_such("session", session.id()))
}

pub(super) async fn delete(
    State(app): State<AppState>,
    SessionPath(session): SessionPath,
) -> Result<Json<Value>, ApiError> {
    if app.sessions.delete(&session).await? {
        Ok(Json(json!({"session_id": session.id(), "deleted": true})))
    } else {
        Err(ApiError::no_such("session", session.id()))
    }
}
