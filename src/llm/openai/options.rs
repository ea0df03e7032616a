//! What a remote chat model is reached by, and how long it may take.

use std::time::Duration;

use footnote_knowledge::secret::Secret;

use crate::llm::prompt::PromptTemplates;

#[derive(Debug, Clone)]
pub struct OpenAiChatOptions {
    /// Up to and with the version: `http://localhost:11434/v1`.
    pub base_url: String,
    /// Sent as `Authorization: Bearer`; without one, no such header is sent.
    pub api_key: Option<Secret>,
    pub model: String,
    pub prompt: PromptTemplates,
    pub timeouts: Timeouts,
    pub retries: Retries,
}

/// How long each silence may last. The whole answer is bounded by the deadline given with the question.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    /// From the request to the first chunk of the response, retries not included.
    pub first_token: Duration,
    pub between_tokens: Duration,
}

impl Default for Timeouts {
    /// A local model may load from disk before its first token, and pauses little afterwards.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(60),
            between_tokens: Duration::from_secs(30),
        }
    }
}

/// Attempts after the first one, with exponentially growing and jittered delays; a `Retry-After` that is longer wins.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    pub limit: usize,
    pub first_delay: Duration,
    pub longest_delay: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { limit: 3, first_delay: Duration::from_millis(250), longest_delay: Duration::from_secs(4) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidOptions {
    #[error(
        "{base_url:?} is not the base URL of an OpenAI-compatible API: {reason}; one looks like http://localhost:11434/v1"
    )]
    BaseUrl { base_url: String, reason: String },

    #[error("the API key contains a character that cannot be sent: line breaks, spaces or letters outside ASCII")]
    ApiKey,

    #[error("the name of the chat model is empty")]
    NoModel,

    #[error("the HTTP client cannot be set up")]
    HttpClient(#[source] reqwest::Error),
}
