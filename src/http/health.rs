//! For operators: liveness, readiness and metrics.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::AppState;
use super::error::not_ready;
use crate::readiness;

pub(super) async fn healthz() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// 200 while questions can be answered, 503 otherwise; the body tells of each dependency.
pub(super) async fn readyz(State(app): State<AppState>) -> Response {
    let reranker = app.retrieval.reranker();
    let report = readiness::check(&app.library, &app.sessions, app.chat.answerer(), reranker, &app.ingesting).await;
    if report.can_answer() { Json(report).into_response() } else { not_ready(Json(report)) }
}

pub(super) async fn metrics(State(app): State<AppState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response()
}
