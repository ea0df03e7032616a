//! `POST /search`: retrieval alone, with the reasons when asked.

use axum::Json;
use axum::extract::State;
use footnote_knowledge::collection::{Filter, SearchMode, Selection};
use serde::{Deserialize, Serialize};

use super::body::{JsonBody, JsonObject};
use super::error::ApiError;
use super::{AppState, selection};
use crate::chat::{Question, TopK};
use crate::retrieval::{Considered, Wanted, source_documents};
use crate::source_document::SourceDocument;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchBody {
    query: String,
    #[serde(default)]
    top_k: Option<TopK>,
    #[serde(default)]
    filter: Option<JsonObject<Filter>>,
    #[serde(default)]
    mode: Option<SearchMode>,
    #[serde(default)]
    score_threshold: Option<f32>,
    #[serde(default)]
    mmr: Option<f32>,
    #[serde(default)]
    explain: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct SearchResponse {
    query: String,
    results: Vec<SourceDocument>,
    /// Every candidate with its rank and score by each ranking, and why it was dropped if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Vec<Considered>>,
    /// Whether the results have the reranker's order; absent where there is no reranker.
    #[serde(skip_serializing_if = "Option::is_none")]
    reranked: Option<bool>,
    timings_ms: SearchTimings,
}

#[derive(Serialize)]
struct SearchTimings {
    embed: f64,
    search: f64,
    rerank: f64,
}

pub(super) async fn post(
    State(app): State<AppState>,
    JsonBody(body): JsonBody<SearchBody>,
) -> Result<Json<SearchResponse>, ApiError> {
    let query =
        Question::parse(body.query).map_err(|error| ApiError::invalid_field("query", format!("`query` {error}")))?;
    let top_k = body.top_k.unwrap_or_default();
    let filter = body.filter.map(|JsonObject(filter)| filter).unwrap_or_default();
    let mode = body.mode.unwrap_or_default();
    let selection = selection::parse(body.score_threshold, body.mmr)?;
    if mode == SearchMode::Bm25 && selection != Selection::default() {
        let detail = "`mode` is bm25, which compares no vectors; leave it out to use `score_threshold` or `mmr`";
        return Err(ApiError::invalid_field("mode", detail));
    }
    let wanted = Wanted { filter: &filter, limit: top_k.get(), mode, selection };
    let found = app.retrieval.search(query.as_str(), wanted).await?;

    Ok(Json(SearchResponse {
        query: query.as_str().to_owned(),
        results: source_documents(found.hits),
        explain: body.explain.unwrap_or_default().then_some(found.considered),
        reranked: app.retrieval.reranker().map(|_| found.reranked),
        timings_ms: SearchTimings {
            embed: found.times.embed.as_secs_f64() * 1e3,
            search: found.times.search.as_secs_f64() * 1e3,
            rerank: found.times.rerank.as_secs_f64() * 1e3,
        },
    }))
}
