//! The HTTP side: one pool of connections under `async-openai`'s client, without that client's own retries, and what
//! its failures mean.

use std::time::Duration;

use async_openai::Client;
use async_openai::config::Config;
use async_openai::error::{OpenAIError, StreamError};
use async_openai::middleware::HttpRequestFactory;
use footnote_knowledge::embedding::OpenAiEndpoint;
use footnote_knowledge::openai_endpoint::{self, Reason, Refusal};
use footnote_knowledge::secret::Secret;
use reqwest::{Body, Response};

use super::InvalidOptions;
use super::event_bytes::readable;
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

    pub(super) fn client(&self) -> Client<OpenAiEndpoint> {
        let http = self.http.clone();
        let once = tower::service_fn(move |request| send_once(http.clone(), request));
        Client::build(self.http.clone(), self.endpoint.clone()).with_http_service(once)
    }

    /// `GET /models`: reached, and the key not refused. An endpoint without that route, or a key that may not list
    /// models, or one too many requests, is no reason to expect that a question would fail.
    pub(super) async fn check(&self, patience: Duration) -> Result<(), Error> {
        let request = self.http.get(self.endpoint.url("/models")).headers(self.endpoint.headers());
        let response = request.timeout(patience).send().await.map_err(|cause| error(OpenAIError::Reqwest(cause)))?;
        match response.status().as_u16() {
            200..=299 | 403 | 404 | 405 | 429 | 501 => Ok(()),
            _ => Err(Refusal::read(response).await.into()),
        }
    }
}

/// One try of one request. Statuses are judged here, where `Retry-After` can still be read.
async fn send_once(http: reqwest::Client, request: HttpRequestFactory) -> Result<Response, OpenAIError> {
    let response = http.execute(request.build().await?).await.map_err(OpenAIError::Reqwest)?;
    if response.status().is_success() {
        let events = Body::wrap_stream(readable(response.bytes_stream()));
        Ok(::http::Response::new(events).into())
    } else {
        Err(OpenAIError::Boxed(Refusal::read(response).await.into()))
    }
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

/// What a failure of the client means before the stream of chunks has begun, or while it is read. What was received is
/// text of the conversation, and what a parser says of it quotes it: both stay out of the error, and so of the log.
pub(super) fn error(error: OpenAIError) -> Error {
    match error {
        OpenAIError::Boxed(cause) => match cause.downcast::<Refusal>() {
            Ok(refusal) => (*refusal).into(),
            Err(cause) => Error::Unavailable(cause),
        },
        OpenAIError::Reqwest(cause) => Error::Unavailable(Box::new(cause)),
        OpenAIError::StreamError(cause) => match *cause {
            StreamError::EventStream(reason) if reason.starts_with("Transport error") => {
                Error::Interrupted(reason.into())
            }
            StreamError::EventStream(_) => Error::InvalidResponse("not an event stream".into()),
            StreamError::UnknownEvent(_) => Error::InvalidResponse("an event of an unknown kind".into()),
        },
        OpenAIError::JSONDeserialize(cause, _content) => {
            let place = format!("not a chunk: {:?} error at column {}", cause.classify(), cause.column());
            Error::InvalidResponse(place.into())
        }
        OpenAIError::ApiError(_)
        | OpenAIError::FileSaveError(_)
        | OpenAIError::FileReadError(_)
        | OpenAIError::InvalidArgument(_) => Error::InvalidResponse("the request could not be made".into()),
    }
}
