//! The outermost layer: gives each request its id, times and counts it, logs it once, and writes the body of a failure.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, Span, error_span};
use uuid::Uuid;

use super::error::{ApiError, write_problem};

const REQUEST_ID: &str = "x-request-id";

/// One request as the log tells of it, also after its handler has returned and its stream goes on.
#[derive(Debug, Clone)]
pub(super) struct ObservedRequest {
    id: String,
    started: Instant,
    span: Span,
}

impl ObservedRequest {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A failure of the server or of what it depends on is a warning with its causes; a client's mistake is told on
    /// request only.
    pub(super) fn log_failure(&self, error: &ApiError) {
        let _entered = self.span.enter();
        let status = error.status().as_u16();
        let cause = error.cause_chain();
        let milliseconds = milliseconds(self.started);
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
}

pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    // The pattern and not the path: a path holds ids, which belong neither into labels nor into the log.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let id = request_id(&request);
    // Of the highest level, since a span itself says nothing: whatever is logged below it, it gives the id to.
    let span = error_span!("request", request_id = id, method, route);
    let observed = ObservedRequest { id, started: Instant::now(), span: span.clone() };
    request.extensions_mut().insert(observed.clone());

    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status().as_u16();
    let labels = [("method", method.to_owned()), ("route", route), ("status", status.to_string())];
    metrics::counter!("footnote_http_requests_total", &labels).increment(1);
    metrics::histogram!("footnote_http_request_seconds", &labels[..2]).record(observed.started.elapsed());
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        observed.log_failure(&error);
        write_problem(&mut response, &error, observed.id());
    } else {
        let _entered = span.enter();
        tracing::debug!(http.status = status, duration.ms = milliseconds(observed.started), "request");
    }
    if let Ok(value) = HeaderValue::from_str(observed.id()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A method may be any word that a client likes; each would be a series of its own, for ever.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| method.as_str() == *known).unwrap_or("other")
}

/// The caller's own id, if it is one that can stand in a log line; else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fit = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    given.filter(fit).map_or_else(|| Uuid::new_v4().to_string(), ToOwned::to_owned)
}

/// A defect of ours costs this one request. What it was is logged where it happened, by the panic hook.
pub(super) fn answer_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    ApiError::internal(
        "this request met a defect of the server; the operator finds more in the log, under the request_id",
    )
    .into_response()
}
