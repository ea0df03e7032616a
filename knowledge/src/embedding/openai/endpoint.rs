//! Where requests to an OpenAI-compatible API go and with which key. `async_openai`'s own configuration always reads the
//! environment.

use async_openai::config::Config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use secrecy::SecretString;

use crate::secret::Secret;

#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Without a slash at its end.
    base_url: String,
    /// The key, if there is one.
    headers: HeaderMap,
    api_key: SecretString,
}

impl Endpoint {
    /// Fails for a key that cannot stand in a header.
    pub fn new(base_url: &str, api_key: Option<&Secret>) -> Result<Self, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            headers,
            api_key: api_key.map(Secret::expose).unwrap_or_default().into(),
        })
    }
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
