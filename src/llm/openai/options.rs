//! What a remote chat model is reached by, and how long it may take.

use std::time::Duration;

use footnote_knowledge::embedding::OpenAiEndpoint;
use footnote_knowledge::openai_endpoint::HttpClientError;
use footnote_knowledge::secret::Secret;
use reqwest::Url;

use crate::llm::PromptBudget;
use crate::llm::prompt::PromptTemplates;

#[derive(Debug, Clone)]
pub struct OpenAiChatOptions {
    /// Up to and with the version: `http://localhost:11434/v1`.
    pub base_url: String,
    /// Sent as `Authorization: Bearer`; without one, no such header is sent.
    pub api_key: Option<Secret>,
    /// Every request goes through it.
    pub proxy: Option<Secret>,
    pub model: String,
    pub prompt: PromptTemplates,
    pub budget: PromptBudget,
    pub timeouts: Timeouts,
    pub retries: Retries,
}

/// How long the endpoint may say nothing. What the whole answer may take, and so the wait for its first word, is the
/// deadline given with the question: a model may think for long, or have to be loaded from disk.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    /// Once the answer has begun.
    pub between_tokens: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), between_tokens: Duration::from_secs(30) }
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
    /// Without the URL itself, since a password may stand in it.
    #[error("that is not the base URL of an OpenAI-compatible API: {0}; one looks like http://localhost:11434/v1")]
    BaseUrl(String),

    #[error("the API key contains a character that cannot be sent: line breaks, spaces or letters outside ASCII")]
    ApiKey,

    #[error("the name of the chat model is empty")]
    NoModel,

    #[error(transparent)]
    HttpClient(#[from] HttpClientError),
}

/// Where requests go and with which key, if both are such that a person can have meant them.
pub(super) fn endpoint(base_url: &str, api_key: Option<&Secret>) -> Result<OpenAiEndpoint, InvalidOptions> {
    let url = Url::parse(base_url).map_err(|error| InvalidOptions::BaseUrl(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvalidOptions::BaseUrl("it does not begin with http:// or https://".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidOptions::BaseUrl("paths are appended to it, so it ends with the path".to_owned()));
    }
    if api_key.is_some_and(|key| !key.is_visible_ascii()) {
        return Err(InvalidOptions::ApiKey);
    }
    OpenAiEndpoint::new(base_url, api_key).map_err(|_| InvalidOptions::ApiKey)
}
