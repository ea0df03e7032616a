//! The HTTP side: an explicit configuration, no hidden retries, and what each failure means.

use std::time::Duration;

use async_openai::Client;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;

use super::endpoint::Endpoint;
use crate::embedding::Error;
use crate::openai_endpoint::{self, Reason, Refusal};
use crate::secret::Secret;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

pub(super) fn connect(
    base_url: &str,
    api_key: Option<&Secret>,
    proxy: Option<&Secret>,
) -> Result<Client<Endpoint>, Error> {
    let endpoint = Endpoint::new(base_url, api_key).map_err(|invalid| Error::Rejected { source: invalid.into() })?;
    let http = openai_endpoint::http_client(proxy, CONNECT_DEADLINE)
        .map_err(|refused| Error::Rejected { source: refused.into() })?;
    // A service of our own takes the place of the default one, which retries.
    let service = tower::service_fn(move |request: HttpRequestFactory| {
        let http = http.clone();
        async move {
            let response = http.execute(request.build().await?).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            Err(OpenAIError::Boxed(Refusal::read(response).await.into()))
        }
    });
    Ok(Client::with_config(endpoint).with_http_service(service))
}

pub(super) fn error(error: OpenAIError) -> Error {
    match error {
        OpenAIError::Reqwest(error) => Error::Unavailable { retry_after: None, source: error.into() },
        // Neither the content nor the parser's words, which quote it: they may be the text that was sent.
        OpenAIError::JSONDeserialize(error, _content) => {
            Error::InvalidResponse(format!("no embeddings: {:?} error at column {}", error.classify(), error.column()))
        }
        OpenAIError::Boxed(error) => match error.downcast::<Refusal>() {
            Ok(refusal) => (*refusal).into(),
            Err(error) => Error::Unavailable { retry_after: None, source: error },
        },
        error => Error::Rejected { source: error.into() },
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let retry_after = refusal.retry_after;
        match refusal.reason {
            Reason::RateLimited => Self::RateLimited { retry_after, source: refusal.into() },
            Reason::Failing => Self::Unavailable { retry_after, source: refusal.into() },
            Reason::Key | Reason::NotFound | Reason::QuotaUsedUp | Reason::TooLong | Reason::Other => {
                Self::Rejected { source: refusal.into() }
            }
        }
    }
}
