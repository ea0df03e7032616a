//! Names and numbers out of URLs: ids, cursors and limits.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::body::wrong_shape;
use super::error::ApiError;
use crate::sessions::SessionKey;

pub(super) fn session_key(field: &str, id: &str) -> Result<SessionKey, ApiError> {
    SessionKey::new(id).map_err(|error| ApiError::invalid_field(field, format!("`{field}` {error}")))
}

/// The `{id}` of a session's URL.
pub(super) struct SessionPath(pub(super) SessionKey);

impl<State: Send + Sync> FromRequestParts<State> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let id = raw_id(parts, state).await?;
        session_key("id", &id).map(Self)
    }
}

/// The `{id}` of a document's URL.
pub(super) struct DocumentPath(pub(super) Uuid);

impl<State: Send + Sync> FromRequestParts<State> for DocumentPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        uuid(parts, state, "`id` is not a document's id; GET /documents lists them").await.map(Self)
    }
}

/// The `{id}` of a job's URL.
pub(super) struct JobPath(pub(super) Uuid);

impl<State: Send + Sync> FromRequestParts<State> for JobPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        uuid(parts, state, "`id` is not a job's id; POST /documents gives it").await.map(Self)
    }
}

async fn uuid<State: Send + Sync>(parts: &mut Parts, state: &State, otherwise: &str) -> Result<Uuid, ApiError> {
    let id = raw_id(parts, state).await?;
    Uuid::parse_str(&id).map_err(|_| ApiError::invalid_field("id", otherwise))
}

async fn raw_id<State: Send + Sync>(parts: &mut Parts, state: &State) -> Result<String, ApiError> {
    let undecodable = |_| ApiError::invalid_field("id", "`id` is not valid percent-encoded UTF-8");
    axum::extract::Path::from_request_parts(parts, state).await.map(|axum::extract::Path(id)| id).map_err(undecodable)
}

/// What stands behind the `?`; anything unknown there is refused, so that a typing error is no silent success.
pub(super) struct UrlQuery<Parameters>(pub(super) Parameters);

impl<Parameters: DeserializeOwned, State: Send + Sync> FromRequestParts<State> for UrlQuery<Parameters> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &State) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let query = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(query)
            .map(Self)
            .map_err(|error| wrong_shape("query", &error.path().to_string(), &error.inner().to_string()))
    }
}

/// How many entries a page of a listing has: 1 to 100, 50 unless told.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PageSize(usize);

impl PageSize {
    const MAX: usize = 100;

    pub(super) fn get(self) -> usize {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<String> for PageSize {
    type Error = String;

    fn try_from(given: String) -> Result<Self, String> {
        let size = given.parse().ok().filter(|size| (1..=Self::MAX).contains(size));
        size.map(Self).ok_or_else(|| format!("{given:?} is no whole number from 1 to {}", Self::MAX))
    }
}
