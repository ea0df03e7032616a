//! Reading a JSON body: its type, its size, its pace, and which field of it is wrong.

use std::fmt;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::AppState;
use super::error::ApiError;

/// Largest body taken.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// A body that was JSON of the expected shape.
pub(super) struct JsonBody<Body>(pub(super) Body);

impl<Body: DeserializeOwned> FromRequest<AppState> for JsonBody<Body> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        expect_json(request.headers())?;
        // A body that never ends must not hold a connection for ever.
        let bytes = tokio::time::timeout(app.patience.request_body, Bytes::from_request(request, app))
            .await
            .map_err(|_| ApiError::body_too_slow())??;
        parse(&bytes).map(Self)
    }
}

/// A body that may be many times as long, and take as long as the caller lets it.
pub(super) async fn large_json<Body>(request: Request, app: &AppState) -> Result<Body, ApiError>
where
    Body: DeserializeOwned + Send + 'static,
{
    expect_json(request.headers())?;
    let bytes = Bytes::from_request(request, app).await?;
    tokio::task::spawn_blocking(move || parse(&bytes)).await.expect("parsing does not panic")
}

/// A JSON object as a struct. By itself serde takes an array for a struct, too, its fields in the order they are
/// written in the source.
pub(super) struct JsonObject<Fields>(pub(super) Fields);

impl<'de, Fields: Deserialize<'de>> Deserialize<'de> for JsonObject<Fields> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<Fields>(PhantomData<Fields>);

impl<'de, Fields: Deserialize<'de>> Visitor<'de> for ObjectVisitor<Fields> {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Fields, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(fields))
    }
}

fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json { Ok(()) } else { Err(ApiError::unsupported_media_type()) }
}

fn parse<Body: DeserializeOwned>(bytes: &[u8]) -> Result<Body, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let JsonObject(body) = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, error.inner())
    })?;
    json.end().map_err(|error| refusal(".", &error))?;
    Ok(body)
}

/// Broken JSON is a 400; JSON of another shape is a 422 that names the field.
fn refusal(path: &str, error: &serde_json::Error) -> ApiError {
    match error.classify() {
        serde_json::error::Category::Data => wrong_shape("body", path, &without_position(&error.to_string())),
        serde_json::error::Category::Eof | serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            ApiError::invalid_json(format!("the body is not valid JSON: {error}"))
        }
    }
}

/// serde_json appends ` at line 1 column 2`, which says nothing once the field is named.
fn without_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(what, _)| what).to_owned()
}

/// `path` is where serde was; at the top, `.`, the message tells which field it is about, or it is `whole`.
pub(super) fn wrong_shape(whole: &str, path: &str, message: &str) -> ApiError {
    if path == "." {
        ApiError::invalid_field(field_in(message).unwrap_or(whole), message)
    } else {
        ApiError::invalid_field(path, format!("`{path}`: {message}"))
    }
}

/// The name of a missing, unknown or repeated field: serde puts it in backticks, first.
fn field_in(message: &str) -> Option<&str> {
    let names_a_field = ["missing field `", "unknown field `", "duplicate field `"];
    let rest = names_a_field.into_iter().find_map(|beginning| message.strip_prefix(beginning))?;
    rest.split('`').next()
}
