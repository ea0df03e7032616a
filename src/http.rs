//! The HTTP surface: every URL, grouped by who calls it, and every layer a request passes, in order. Handlers parse,
//! call one method and frame the answer; what happens in between is told in `chat`, `retrieval` and `sessions`.

mod access;
mod body;
mod chat;
mod documents;
mod error;
mod health;
mod jobs;
mod observe;
mod path;
mod patience;
mod search;
mod selection;
mod sessions;
mod uploads;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri};
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

pub use access::AccessRules;
pub use error::ApiError;
pub use patience::Patience;

use crate::chat::Chat;
use crate::ingesting::Ingesting;
use crate::jobs::Jobs;
use crate::library::Library;
use crate::retrieval::Retrieval;
use crate::sessions::Sessions;
use crate::telemetry::Metrics;

/// What handlers work with; every part is cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub chat: Chat,
    pub retrieval: Retrieval,
    pub library: Library,
    pub sessions: Sessions,
    pub ingesting: Ingesting,
    pub jobs: Jobs,
    /// Bytes of one upload.
    pub largest_upload: usize,
    pub access: AccessRules,
    pub metrics: Metrics,
    pub patience: Patience,
}

pub fn router(state: AppState) -> Router {
    let largest_upload = DefaultBodyLimit::max(state.largest_upload);
    // Layers run from the last one named to the first.
    let guarded = Router::new()
        // People and their programs
        .route("/chat", post(chat::post))
        .route("/search", post(search::post))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", get(sessions::read).patch(sessions::patch).delete(sessions::delete))
        .route("/documents", get(documents::list).merge(post(uploads::post).layer(largest_upload)))
        .route("/documents/{id}", get(documents::read).delete(documents::delete))
        .route("/documents/{id}/chunks", get(documents::chunks))
        .route("/jobs/{id}", get(jobs::read))
        .route("/reindex", post(jobs::reindex))
        // Operators
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(state.access.clone(), access::require_key))
        .layer(from_fn_with_state(state.access.clone(), access::refuse_foreign));

    Router::new()
        // Liveness is open: a probe has no key, and it tells nothing.
        .route("/healthz", get(health::healthz))
        .method_not_allowed_fallback(method_not_allowed)
        .merge(guarded)
        .layer(CatchPanicLayer::custom(observe::answer_panic))
        .layer(from_fn(observe::observe))
        .with_state(state)
}

async fn unknown_route(OriginalUri(uri): OriginalUri) -> ApiError {
    ApiError::unknown_route(uri.path())
}

async fn method_not_allowed(method: Method, OriginalUri(uri): OriginalUri) -> ApiError {
    ApiError::method_not_allowed(method.as_str(), uri.path())
}
