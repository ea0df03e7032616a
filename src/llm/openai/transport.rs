//! The HTTP side: one pool of connections under `async-openai`'s client, without that client's own retries, and what
//! its failures mean.

use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::{OpenAIError, StreamError};
use async_openai::middleware::HttpRequestFactory;
use footnote_knowledge::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url, redirect};

use super::InvalidOptions;
use crate::llm::Error;

#[derive(Debug, Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    base_url: String,
    api_key: Option<Secret>,
}

impl Transport {
    pub(super) fn new(base_url: &str, api_key: Option<Secret>, connect: Duration) -> Result<Self, InvalidOptions> {
        let invalid = |reason: String| InvalidOptions::BaseUrl { base_url: base_url.to_owned(), reason };
        let url = Url::parse(base_url).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("it does not begin with http:// or https://".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("paths are appended to it, so it ends with the path".to_owned()));
        }
        if let Some(key) = &api_key
            && (key.expose().is_empty() || !key.expose().bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(InvalidOptions::ApiKey);
        }
        // A redirect would carry the documents to a host nobody named.
        let mut builder = reqwest::Client::builder().connect_timeout(connect).redirect(redirect::Policy::none());
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(InvalidOptions::HttpClient)?;
        Ok(Self { http, base_url: base_url.trim_end_matches('/').to_owned(), api_key })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A client whose every setting is given: `OpenAIConfig::new` alone would read the environment.
    pub(super) fn client(&self) -> Client<OpenAIConfig> {
        let config = OpenAIConfig::new()
            .with_api_base(&self.base_url)
            .with_api_key(self.api_key.as_ref().map_or("", Secret::expose))
            .with_org_id("")
            .with_project_id("");
        let http = self.http.clone();
        let has_key = self.api_key.is_some();
        let once = tower::service_fn(move |request| send_once(http.clone(), request, has_key));
        Client::build(self.http.clone(), config).with_http_service(once)
    }

    /// `GET /models`: reached, and the key accepted. An endpoint without that route is no worse for it.
    pub(super) async fn check(&self, patience: Duration) -> Result<(), Error> {
        let mut request = self.http.get(format!("{}/models", self.base_url)).timeout(patience);
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose());
        }
        let response = request.send().await.map_err(|cause| error(OpenAIError::Reqwest(cause)))?;
        match response.status().as_u16() {
            200..=299 | 404 | 405 => Ok(()),
            _ => Err(Refusal::read(response).await.into()),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// One try of one request. Statuses are judged here, where `Retry-After` can still be read.
async fn send_once(http: reqwest::Client, request: HttpRequestFactory, has_key: bool) -> Result<Response, OpenAIError> {
    let mut request = request.build().await?;
    if !has_key {
        request.headers_mut().remove(AUTHORIZATION);
    }
    let response = http.execute(request).await.map_err(OpenAIError::Reqwest)?;
    if response.status().is_success() {
        Ok(response)
    } else {
        Err(OpenAIError::Boxed(Box::new(Refusal::read(response).await)))
    }
}

/// A response that is no success.
#[derive(Debug, thiserror::Error)]
#[error("status {status}: {text}")]
struct Refusal {
    status: u16,
    retry_after: Option<Duration>,
    /// The beginning of the body, on one line.
    text: String,
}

impl Refusal {
    async fn read(mut response: Response) -> Self {
        const ENOUGH_BYTES: usize = 2_000;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(delay);
        let mut body = Vec::new();
        // A body that cannot be read does not change what the status says.
        while body.len() < ENOUGH_BYTES
            && let Ok(Some(bytes)) = response.chunk().await
        {
            body.extend_from_slice(&bytes);
        }
        body.truncate(ENOUGH_BYTES);
        let text = String::from_utf8_lossy(&body).split_whitespace().collect::<Vec<_>>().join(" ");
        Self { status, retry_after, text }
    }
}

/// `Retry-After` in seconds; the form with a date is left to the backoff, clocks differ too much for it.
fn delay(header: &HeaderValue) -> Option<Duration> {
    let seconds = header.to_str().ok()?.trim().parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        // A used-up quota comes as 429 too, and stays used up however long one waits.
        let quota_is_used_up = refusal.text.contains("insufficient_quota");
        match refusal.status {
            429 if !quota_is_used_up => {
                Self::RateLimited { retry_after: refusal.retry_after, cause: Box::new(refusal) }
            }
            408 | 425 | 500..=599 => Self::Unavailable(Box::new(refusal)),
            _ => Self::Rejected(Box::new(refusal)),
        }
    }
}

/// What a failure of the client means before the stream of chunks has begun, or while it is read.
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
            cause => Error::InvalidResponse(Box::new(cause)),
        },
        // Only the parser's words: the content is text of the conversation and stays out of logs.
        OpenAIError::JSONDeserialize(cause, _content) => Error::InvalidResponse(Box::new(cause)),
        other => Error::InvalidResponse(Box::new(other)),
    }
}
