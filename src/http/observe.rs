//! The outermost layer: gives each request its id, times and counts it, logs it once, and writes the body of a failure.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, info_span};
use uuid::Uuid;

use super::error::{ApiError, write_problem};

const REQUEST_ID: &str = "x-request-id";

/// The id under which the log tells of this request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let method = request.method().clone();
    // The pattern and not the path: a path holds ids, which belong neither into labels nor into the log.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = info_span!("request", %request_id, %method, route);

    let mut response = next.run(request).instrument(span.clone()).await;

    let _entered = span.enter();
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    let labels = [("method", method.to_string()), ("route", route), ("status", status.to_string())];
    metrics::counter!("footnote_http_requests_total", &labels).increment(1);
    metrics::histogram!("footnote_http_request_seconds", &labels[..2]).record(elapsed);
    let milliseconds = elapsed.as_secs_f64() * 1e3;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        log_failure(&error, milliseconds);
        write_problem(&mut response, &error, &request_id);
    } else {
        tracing::debug!(http.status = status, duration.ms = milliseconds, "request");
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// The caller's own id, if it is one that can stand in a log line; else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fit = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    given.filter(fit).map_or_else(|| Uuid::new_v4().to_string(), ToOwned::to_owned)
}

/// A failure of the server or of what it depends on is a warning with its causes; a client's mistake is told on request
/// only.
pub(super) fn log_failure(error: &ApiError, milliseconds: f64) {
    let status = error.status().as_u16();
    let cause = error.cause_chain();
    if error.is_failure() {
        tracing::warn!(
            http.status = status,
            error.code = error.code(),
            error.cause = cause,
            duration.ms = milliseconds,
            "request failed"
        );
    } else {
        tracing::debug!(
            http.status = status,
            error.code = error.code(),
            error.cause = cause,
            duration.ms = milliseconds,
            "request refused"
        );
    }
}

/// A defect of ours costs this one request.
pub(super) fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic.message = message, "a request handler panicked");
    ApiError::internal("this request met a defect of the server; the log tells more under the request_id")
        .into_response()
}
