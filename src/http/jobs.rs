//! `GET /jobs/{id}`, how far a job is and what became of it, and `POST /reindex`, a job for `ingest --reindex` where the
//! server holds the folder.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use footnote_knowledge::options::EmbedderChoice;

use super::AppState;
use super::access::HasLocalToken;
use super::body::JsonBody;
use super::error::{ApiError, accepted};
use super::path::JobPath;
use crate::jobs::Job;

pub(super) async fn read(State(app): State<AppState>, JobPath(id): JobPath) -> Result<Json<Job>, ApiError> {
    app.jobs.job(id).map(Json).ok_or_else(|| ApiError::no_such_job(&id.to_string()))
}

/// Not for those who only have a key: it says where all texts are sent.
pub(super) async fn reindex(
    _: HasLocalToken,
    State(app): State<AppState>,
    JsonBody(embedder): JsonBody<EmbedderChoice>,
) -> Result<impl IntoResponse, ApiError> {
    let submitted = tokio::task::spawn_blocking(move || app.jobs.submit_reindex(embedder)).await;
    submitted.map_err(ApiError::cannot_keep)?.map(job_accepted).map_err(ApiError::cannot_keep)
}

/// 202, and where to ask about it.
pub(super) fn job_accepted(job: Job) -> impl IntoResponse {
    accepted([(header::LOCATION, format!("/jobs/{}", job.id))], Json(job))
}
