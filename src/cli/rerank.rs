//! The second look at what a search finds.

use std::time::Duration;

use clap::Args;
use footnote_knowledge::secret::Secret;
use reqwest::Url;

use crate::retrieval::RerankerOptions;

/// A cross-encoder that puts passages into order.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reranker")]
pub struct RerankOptions {
    /// Whole address of a /rerank endpoint (Jina, Cohere, vLLM, Text Embeddings Inference); without it, passages keep the
    /// order of the search
    #[arg(long, env = "FOOTNOTE_RERANK_URL", value_name = "URL")]
    pub rerank_url: Option<Url>,

    /// Model to name in the request, where the endpoint serves several
    #[arg(long, env = "FOOTNOTE_RERANK_MODEL", value_name = "MODEL")]
    pub rerank_model: Option<String>,

    /// Key of the endpoint, sent as a bearer token
    #[arg(long, env = "FOOTNOTE_RERANK_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub rerank_api_key: Option<Secret>,

    /// Longest wait for the endpoint, in milliseconds; after it, passages keep the order of the search
    #[arg(long, env = "FOOTNOTE_RERANK_TIMEOUT", value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub rerank_timeout: u64,

    /// How many of the best passages the endpoint is shown
    #[arg(long, env = "FOOTNOTE_RERANK_CANDIDATES", value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub rerank_candidates: u64,
}

impl RerankOptions {
    /// None if no endpoint is named.
    pub fn reranker(&self) -> Option<RerankerOptions> {
        Some(RerankerOptions {
            url: self.rerank_url.clone()?,
            api_key: self.rerank_api_key.clone(),
            model: self.rerank_model.clone(),
            timeout: Duration::from_millis(self.rerank_timeout),
            candidates: usize::try_from(self.rerank_candidates).unwrap_or(usize::MAX),
        })
    }
}
