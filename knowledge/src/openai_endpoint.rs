//! What both speakers of the OpenAI wire share, the chat model's and the embedding model's: how its endpoint is connected
//! to, and what it means by a refusal.

mod refusal;

use std::time::Duration;

use reqwest::{Client, Proxy, redirect};

pub use refusal::{Reason, Refusal};

use crate::secret::Secret;

#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// Without its cause, which quotes the URL with the password in it.
    #[error("the proxy for the OpenAI-compatible endpoint is no URL; one looks like http://proxy.example.org:3128")]
    Proxy,

    #[error("the HTTP client cannot be set up")]
    SetUp(#[source] reqwest::Error),
}

/// One pool of connections, which go to the named host or the named proxy and nowhere else.
pub fn http_client(proxy: Option<&Secret>, connect_deadline: Duration) -> Result<Client, HttpClientError> {
    let client = Client::builder()
        .connect_timeout(connect_deadline)
        // A redirect would carry the texts to a host that nobody named.
        .redirect(redirect::Policy::none())
        // So would the proxy that the environment may hold for other programs.
        .no_proxy();
    let client = match proxy {
        Some(url) => client.proxy(Proxy::all(url.expose()).map_err(|_| HttpClientError::Proxy)?),
        None => client,
    };
    client.build().map_err(HttpClientError::SetUp)
}
