//! Reading a JSON body: its type, its size, its pace, and which field of it is wrong.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// Largest body taken.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// A client that sends 1 MiB over a poor line needs seconds; one that never ends must not hold a connection for ever.
const LONGEST_UPLOAD: Duration = Duration::from_secs(30);

/// A body that was JSON of the expected shape.
pub(super) struct JsonBody<Body>(pub(super) Body);

impl<Body: DeserializeOwned, State: Send + Sync> FromRequest<State> for JsonBody<Body> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::unsupported_media_type());
        }
        let bytes = tokio::time::timeout(LONGEST_UPLOAD, Bytes::from_request(request, state))
            .await
            .map_err(|_| ApiError::body_too_slow())??;
        parse(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<Body: DeserializeOwned>(bytes: &[u8]) -> Result<Body, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, error.inner())
    })?;
    json.end().map_err(|error| refusal(".", &error))?;
    Ok(body)
}

/// Broken JSON is a 400; JSON of another shape is a 422 that names the field.
fn refusal(path: &str, error: &serde_json::Error) -> ApiError {
    match error.classify() {
        serde_json::error::Category::Data => {
            let message = without_position(&error.to_string());
            if path == "." {
                ApiError::invalid_field(named_in_backticks(&message).unwrap_or("body"), message.clone())
            } else {
                ApiError::invalid_field(path, format!("`{path}`: {message}"))
            }
        }
        serde_json::error::Category::Eof | serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            ApiError::invalid_json(format!("the body is not valid JSON: {error}"))
        }
    }
}

/// serde_json appends ` at line 1 column 2`, which says nothing once the field is named.
fn without_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(what, _)| what).to_owned()
}

/// serde puts the name of a missing, unknown or repeated field in backticks, first.
fn named_in_backticks(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}
