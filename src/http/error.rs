//! Every failure a client can meet, as RFC 9457 problem details. The one place that knows status codes.
//!
//! Policy: a 4xx says what was wrong with the request, names the field, and says what to send instead. A 5xx says which
//! part failed and what the client or the operator can do; its cause goes to the log under the same `request_id` and
//! never to the client.

mod failures;

use std::error::Error as StdError;
use std::sync::Arc;

use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, IntoResponseParts};
use serde::Serialize;

/// A failed request: what the client is told, and the cause that only the log is told.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    retry_after_seconds: Option<u64>,
    /// Something the server depends on failed, whatever the status says of whose turn it is.
    is_failure: bool,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The body of a failed request, `application/problem+json`.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let is_failure = status.is_server_error();
        Self { status, code, detail: detail.into(), field: None, retry_after_seconds: None, is_failure, cause: None }
    }

    fn caused_by(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    fn into_failure(mut self) -> Self {
        self.is_failure = true;
        self
    }

    pub fn invalid_json(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", detail)
    }

    pub fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail);
        error.field = Some(field.into());
        error
    }

    fn invalid_cursor() -> Self {
        Self::invalid_field("cursor", "`cursor` is not one that this server gave; leave it out to begin anew")
    }

    pub fn unsupported_media_type() -> Self {
        let detail = "the body is not JSON by its header; send it as `application/json`, or documents as a form";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    pub fn body_too_slow() -> Self {
        let detail = "the body did not arrive in time; send it whole, with its Content-Length";
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
    }

    pub fn unauthorized() -> Self {
        let detail = "this server needs a key; send `Authorization: Bearer KEY` with one that it knows";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub fn foreign_origin(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", detail)
    }

    pub fn loopback_only() -> Self {
        let detail = "without an API key, sessions are listed to this machine only; start the server with --api-key";
        Self::new(StatusCode::FORBIDDEN, "loopback_only", detail)
    }

    pub fn local_token_only() -> Self {
        let detail = "only a program on the server's machine may do this, which can read server.json in its data folder: \
                      run `ingest --reindex` there";
        Self::new(StatusCode::FORBIDDEN, "local_token_only", detail)
    }

    pub fn unknown_route(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is nothing at {path}; the README lists the routes"),
        )
    }

    pub fn no_such(what: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no {what} {id}; GET /{what}s lists those there are"),
        )
    }

    pub fn no_such_job(id: &str) -> Self {
        let detail = format!("there is no job {id} on this server; a job is kept for a day after it is done");
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Of a form that is no form, is too large or broke off; `status` is what its reader makes of it.
    pub fn broken_upload(status: StatusCode, message: String) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            let detail =
                "the upload is larger than this server takes; send it in several requests, or raise --max-upload";
            Self::new(status, "body_too_large", detail)
        } else {
            Self::invalid_field("body", format!("the form did not arrive whole: {message}"))
        }
    }

    /// An upload that cannot be written down.
    pub fn cannot_keep(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::internal("the upload cannot be kept; the operator finds the reason in the log").caused_by(cause)
    }

    pub fn method_not_allowed(method: &str, path: &str) -> Self {
        let detail = format!("{path} does not take {method}; the Allow header lists what it takes");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Whether whoever runs the server should hear of it; if not, it is the client's mistake.
    pub fn is_failure(&self) -> bool {
        self.is_failure
    }

    /// What to log and never to send: the whole chain of causes.
    pub fn cause_chain(&self) -> Option<String> {
        let mut link: Option<&(dyn StdError + 'static)> = self.cause.as_deref().map(|cause| cause as _);
        let mut chain = Vec::new();
        while let Some(cause) = link {
            chain.push(cause.to_string());
            link = cause.source();
        }
        (!chain.is_empty()).then(|| chain.join(": "))
    }

    pub fn problem<'a>(&'a self, request_id: &'a str) -> Problem<'a> {
        Problem {
            // RFC 9457: the type is `about:blank` when the status and the code say it all.
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            field: self.field.as_deref(),
        }
    }
}

/// Carries the error to the outermost layer, which alone knows the request's id, logs the cause and writes the body.
impl IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives a response that carries an [`ApiError`] its body.
pub(super) fn write_problem<Body: From<Vec<u8>>>(response: &mut Response<Body>, error: &ApiError, request_id: &str) {
    let body = serde_json::to_vec(&error.problem(request_id)).expect("a problem is strings and numbers");
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    if error.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Work that goes on: where to look for its end, and how it stands.
pub(super) fn accepted(headers: impl IntoResponseParts, body: impl IntoResponse) -> axum::response::Response {
    (StatusCode::ACCEPTED, headers, body).into_response()
}

/// A dependency without which no question can be answered is missing: what `/readyz` says with its body.
pub(super) fn not_ready(body: impl IntoResponse) -> axum::response::Response {
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
