//! The HTTP side: one pool of connections, each request tried once, and what its failures mean.

use std::time::Duration;

use async_openai::config::Config;
use async_openai::types::chat::CreateChatCompletionRequest;
use footnote_knowledge::embedding::OpenAiEndpoint;
use footnote_knowledge::openai_endpoint::{self, Reason, Refusal};
use footnote_knowledge::secret::Secret;

use super::InvalidOptions;
use super::events::{self, Events};
use crate::llm::Error;

#[derive(Debug, Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    endpoint: OpenAiEndpoint,
}

impl Transport {
    pub(super) fn new(
        endpoint: OpenAiEndpoint,
        proxy: Option<&Secret>,
        connect: Duration,
    ) -> Result<Self, InvalidOptions> {
        Ok(Self { http: openai_endpoint::http_client(proxy, connect)?, endpoint })
    }

    pub(super) fn base_url(&self) -> &str {
        self.endpoint.api_base()
    }

    /// `POST /chat/completions`, up to the response's first byte.
    pub(super) async fn ask(&self, request: &CreateChatCompletionRequest) -> Result<Events, Error> {
        let asking = self.http.post(self.endpoint.url("/chat/completions")).headers(self.endpoint.headers());
        let response = asking.json(request).send().await.map_err(unavailable)?;
        if response.status().is_success() {
            Ok(events::events(response))
        } else {
            Err(Refusal::read(response).await.into())
        }
    }

    /// `GET /models`: reached, and the key not refused. An endpoint without that route, or a key that may not list
    /// models, or one too many requests, is no reason to expect that a question would fail.
    pub(super) async fn check(&self, patience: Duration) -> Result<(), Error> {
        let request = self.http.get(self.endpoint.url("/models")).headers(self.endpoint.headers());
        let response = request.timeout(patience).send().await.map_err(unavailable)?;
        match response.status().as_u16() {
            200..=299 | 403 | 404 | 405 | 429 | 501 => Ok(()),
            _ => Err(Refusal::read(response).await.into()),
        }
    }
}

fn unavailable(cause: reqwest::Error) -> Error {
    Error::Unavailable(cause.into())
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.reason {
            Reason::RateLimited => Self::RateLimited { retry_after: refusal.retry_after, cause: refusal.into() },
            Reason::Failing => Self::Unavailable(refusal.into()),
            Reason::TooLong => Self::TooLong(refusal.into()),
            Reason::Key | Reason::NotFound | Reason::QuotaUsedUp | Reason::Other => Self::Rejected(refusal.into()),
        }
    }
}
