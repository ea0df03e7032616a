//! Text to vectors: the built-in model ([`LocalEmbedder`]) or an OpenAI-compatible endpoint ([`OpenAiEmbedder`]).
//!
//! Every vector has unit length, so a dot product is a cosine. No text is ever cut here: one that is longer than
//! [`Embedder::max_tokens`] is embedded window by window and averaged. What a document is cut into lives in `ingest`.
//! How much a remote model takes nobody but its user knows: told too much, some endpoints cut without a word.

mod error;
mod local;
mod openai;
mod pooling;
mod tokenizer;

pub use error::{Error, Source};
pub use local::LocalEmbedder;
pub use openai::Endpoint as OpenAiEndpoint;
pub use openai::{CLIENT_LOG_TARGET, OpenAiEmbedder, OpenAiOptions};
pub use tokenizer::Tokenizer;

use serde::{Deserialize, Serialize};

use crate::options;

/// Turns text into unit-length vectors of [`Embedder::dimension`] numbers.
#[expect(clippy::large_enum_variant, reason = "a process has one")]
pub enum Embedder {
    Local(LocalEmbedder),
    OpenAi(OpenAiEmbedder),
}

/// What makes two vectors comparable. It is part of a collection's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddingIdentity {
    pub model: String,
    pub dimension: usize,
    pub pooling: String,
}

impl Embedder {
    /// The embedder that the command line asks for. The remote one is called once, to learn its dimension.
    pub async fn open(embedding: &options::EmbeddingOptions, endpoint: &options::OpenAiOptions) -> Result<Self, Error> {
        match embedding.embedder {
            options::EmbedderKind::Local => Ok(Self::Local(LocalEmbedder::open().await?)),
            options::EmbedderKind::Openai => {
                let (url, key) = (endpoint.base_url(), endpoint.openai_api_key.clone());
                let defaults = OpenAiOptions::new(url, key, &embedding.embedding_model);
                let max_tokens = embedding.embedding_max_tokens.unwrap_or(defaults.max_tokens);
                let proxy = endpoint.openai_proxy.clone();
                let remote = OpenAiOptions { proxy, max_tokens, ..defaults };
                Ok(Self::OpenAi(OpenAiEmbedder::connect(remote).await?))
            }
        }
    }

    /// One vector per text, in the order of the texts; an empty text has one too.
    ///
    /// A text of more than [`Embedder::max_tokens`] tokens gets the mean of its windows' vectors, weighted by their
    /// tokens. Fails as a whole.
    pub async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        match self {
            Self::Local(local) => local.embed_documents(texts).await,
            Self::OpenAi(remote) => remote.embed_documents(texts).await,
        }
    }

    /// The vector to search with. It overtakes documents that wait to be embedded.
    pub async fn embed_query(&self, text: &str) -> Result<Vec<f32>, Error> {
        match self {
            Self::Local(local) => local.embed_query(text).await,
            Self::OpenAi(remote) => remote.embed_query(text).await,
        }
    }

    /// Texts to compare with a query that someone waits for, one vector per text. They overtake documents like a query.
    pub async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        match self {
            Self::Local(local) => local.embed_queries(texts).await,
            Self::OpenAi(remote) => remote.embed_queries(texts).await,
        }
    }

    /// Numbers in a vector.
    pub fn dimension(&self) -> usize {
        match self {
            Self::Local(_) => LocalEmbedder::DIMENSION,
            Self::OpenAi(remote) => remote.dimension(),
        }
    }

    /// Tokens that one sequence holds, its special tokens included.
    pub fn max_tokens(&self) -> usize {
        match self {
            Self::Local(_) => LocalEmbedder::MAX_TOKENS,
            Self::OpenAi(remote) => remote.max_tokens(),
        }
    }

    pub fn identity(&self) -> EmbeddingIdentity {
        match self {
            Self::Local(_) => LocalEmbedder::identity(),
            Self::OpenAi(remote) => remote.identity(),
        }
    }

    /// Counts tokens as this embedder does; for a remote model, whose tokenizer is not known, it errs on the high side.
    pub fn tokenizer(&self) -> &Tokenizer {
        match self {
            Self::Local(local) => local.tokenizer(),
            Self::OpenAi(remote) => remote.tokenizer(),
        }
    }

    /// Whether a query would be embedded now. Cheap enough for a readiness probe: a remote endpoint that answered
    /// within the last 30 s is not asked again.
    pub async fn check(&self) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.check().await,
            Self::OpenAi(remote) => remote.check().await,
        }
    }
}
