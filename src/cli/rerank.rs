//! The second look at what a search finds.

use clap::{Args, ValueEnum};
use footnote_knowledge::secret::Secret;
use reqwest::Url;

/// A cross-encoder that puts passages into order.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reranker")]
pub struct RerankOptions {
    /// What puts the passages found into order; the default is the endpoint if one is named, else the built-in model where
    /// answers are extractive, else none
    #[arg(long, env = "FOOTNOTE_RERANKER", value_enum, value_name = "KIND")]
    pub reranker: Option<RerankerKind>,

    /// Whole address of a /rerank endpoint (Jina, Cohere, vLLM, Text Embeddings Inference)
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

    /// How many of the best passages it is shown; the default is 30 for an endpoint and 8 for the built-in model
    #[arg(long, env = "FOOTNOTE_RERANK_CANDIDATES", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub rerank_candidates: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RerankerKind {
    /// The order of the search stands
    None,
    /// The built-in model
    Local,
    /// The endpoint at --rerank-url
    Endpoint,
}

impl RerankOptions {
    pub fn kind(&self, answers_are_extractive: bool) -> RerankerKind {
        let default = if self.rerank_url.is_some() {
            RerankerKind::Endpoint
        } else if answers_are_extractive {
            RerankerKind::Local
        } else {
            RerankerKind::None
        };
        self.reranker.unwrap_or(default)
    }

    /// How many passages a reranker of this kind is shown.
    pub fn candidates(&self, kind: RerankerKind) -> usize {
        let default = match kind {
            RerankerKind::None => 0,
            RerankerKind::Local => 8,
            RerankerKind::Endpoint => 30,
        };
        self.rerank_candidates.map_or(default, |given| usize::try_from(given).unwrap_or(usize::MAX))
    }
}
