//! Where requests go and with which key. `async_openai`'s own configuration always reads the environment.

use async_openai::config::Config;
use footnote_knowledge::secret::Secret;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::SecretString;

use super::InvalidOptions;

#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// Without a slash at its end.
    base_url: String,
    /// The key, if there is one.
    headers: HeaderMap,
    api_key: SecretString,
}

impl Endpoint {
    pub(super) fn new(base_url: &str, api_key: Option<&Secret>) -> Result<Self, InvalidOptions> {
        let url = Url::parse(base_url).map_err(|error| InvalidOptions::BaseUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidOptions::BaseUrl("it does not begin with http:// or https://".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidOptions::BaseUrl("paths are appended to it, so it ends with the path".to_owned()));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            headers.insert(AUTHORIZATION, bearer(key)?);
        }
        Ok(Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            headers,
            api_key: api_key.map(Secret::expose).unwrap_or_default().into(),
        })
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue, InvalidOptions> {
    let key = key.expose();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidOptions::ApiKey);
    }
    let mut bearer = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| InvalidOptions::ApiKey)?;
    bearer.set_sensitive(true);
    Ok(bearer)
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
