//! The HTTP side: an explicit configuration, no hidden retries, and what each failure means.

use std::fmt;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::Config;
use async_openai::error::{OpenAIError, WrappedError};
use async_openai::middleware::HttpRequestFactory;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use secrecy::SecretString;

use crate::embedding::Error;
use crate::secret::Secret;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The address and key of the endpoint. `async_openai`'s own configuration always reads the environment.
pub(super) struct Endpoint {
    base_url: String,
    headers: HeaderMap,
    api_key: SecretString,
}

pub(super) fn connect(base_url: &str, api_key: Option<&Secret>) -> Result<Client<Endpoint>, Error> {
    let mut headers = HeaderMap::new();
    if let Some(key) = api_key {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
        let mut bearer = bearer.map_err(|invalid| Error::Rejected { source: invalid.into() })?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let http = reqwest::Client::builder()
        // A redirect would carry the texts to a host that nobody named.
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .build()
        .map_err(|refused| Error::Unavailable { retry_after: None, source: refused.into() })?;
    let endpoint = Endpoint {
        base_url: base_url.trim_end_matches('/').to_owned(),
        headers,
        api_key: api_key.map(Secret::expose).unwrap_or_default().into(),
    };
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

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base_url
    }

    fn api_key(&self) -> &SecretString {
        &self.api_key
    }
}

/// An answer other than success.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    retry_after: Option<Duration>,
    message: String,
    out_of_quota: bool,
}

impl Refusal {
    async fn read(response: Response) -> Self {
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.bytes().await.unwrap_or_default();
        let (message, code) = match serde_json::from_slice::<WrappedError>(&body) {
            Ok(WrappedError { error }) => (error.message, error.code),
            Err(_) => (String::from_utf8_lossy(&body).into_owned(), None),
        };
        Self {
            status,
            retry_after: seconds.map(Duration::from_secs),
            message: message.chars().take(500).collect(),
            out_of_quota: code.is_some_and(|code| code == "insufficient_quota"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Refusal {}

pub(super) fn error(error: OpenAIError) -> Error {
    match error {
        OpenAIError::Reqwest(error) => Error::Unavailable { retry_after: None, source: error.into() },
        OpenAIError::JSONDeserialize(error, _content) => Error::InvalidResponse(error.to_string()),
        OpenAIError::Boxed(error) => match error.downcast::<Refusal>() {
            Ok(refusal) => refused(refusal),
            Err(error) => Error::Unavailable { retry_after: None, source: error },
        },
        error => Error::Rejected { source: error.into() },
    }
}

fn refused(refusal: Box<Refusal>) -> Error {
    let retry_after = refusal.retry_after;
    match refusal.status {
        // More of the same tomorrow: waiting does not fill an account.
        StatusCode::TOO_MANY_REQUESTS if refusal.out_of_quota => Error::Rejected { source: refusal },
        StatusCode::TOO_MANY_REQUESTS => Error::RateLimited { retry_after, source: refusal },
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Error::Unavailable { retry_after, source: refusal }
        }
        _ => Error::Rejected { source: refusal },
    }
}
