//! An embedder as one process names it to another.

use serde::{Deserialize, Serialize};

use super::{EmbedderKind, EmbeddingOptions, OpenAiOptions};
use crate::secret::Secret;

/// What opens an embedder elsewhere as the options do here: it may hold keys, and so does not print.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedderChoice {
    embedder: EmbedderKind,
    embedding_model: String,
    embedding_max_tokens: Option<usize>,
    openai_base_url: Option<String>,
    openai_api_key: Option<String>,
    openai_proxy: Option<String>,
}

impl EmbedderChoice {
    pub fn new(embedding: &EmbeddingOptions, openai: &OpenAiOptions) -> Self {
        let exposed = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        Self {
            embedder: embedding.embedder,
            embedding_model: embedding.embedding_model.clone(),
            embedding_max_tokens: embedding.embedding_max_tokens,
            openai_base_url: openai.openai_base_url.clone(),
            openai_api_key: exposed(&openai.openai_api_key),
            openai_proxy: exposed(&openai.openai_proxy),
        }
    }

    pub fn into_options(self) -> (EmbeddingOptions, OpenAiOptions) {
        let Self { embedder, embedding_model, embedding_max_tokens, openai_base_url, openai_api_key, openai_proxy } =
            self;
        let embedding = EmbeddingOptions { embedder, embedding_model, embedding_max_tokens };
        let openai = OpenAiOptions {
            openai_base_url,
            openai_api_key: openai_api_key.map(Secret::new),
            openai_proxy: openai_proxy.map(Secret::new),
        };
        (embedding, openai)
    }
}
