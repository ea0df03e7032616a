//! The client of a Qdrant server: what it is made from, and when another takes its place.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qdrant_client::Qdrant;
use qdrant_client::config::QdrantConfig;
use reqwest::Url;

use super::super::error::Error;
use crate::secret::Secret;
use crate::tls;

const CONNECT: Duration = Duration::from_secs(2);

/// Each call has a shorter deadline of its own (see `call`), and what it means to miss it is decided there.
const LONGEST_CALL: Duration = Duration::from_secs(600);

pub(super) struct Connection {
    config: QdrantConfig,
    client: Mutex<Arc<Qdrant>>,
}

impl Connection {
    /// Does not connect yet.
    pub(super) fn new(url: &str, api_key: Option<&Secret>) -> Result<Self, Error> {
        tls::choose_library();
        let mut config = QdrantConfig::from_url(&address(url)?)
            // It prints to standard output and holds up the start; `doctor` tells versions.
            .skip_compatibility_check()
            .connect_timeout(CONNECT)
            .timeout(LONGEST_CALL);
        if let Some(key) = api_key {
            config.set_api_key(sendable(key)?);
        }
        let client = config.clone().build();
        let client = client.map_err(|error| Error::engine("the address of the Qdrant server is not valid", error))?;
        Ok(Self { config, client: Mutex::new(Arc::new(client)) })
    }

    /// Has host and port, and no secret.
    pub(super) fn address(&self) -> &str {
        &self.config.uri
    }

    pub(super) fn client(&self) -> Arc<Qdrant> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For calls to come, when `silent` did not answer in time. Its connections may be dead without having broken: when a
    /// host lost its power or a firewall forgot about them, nothing comes back, and the system goes on sending for a
    /// quarter of an hour. Calls under way on them are not disturbed.
    pub(super) fn renew(&self, silent: &Arc<Qdrant>) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        // Of many calls that miss their deadline at once, the first renews.
        if Arc::ptr_eq(&client, silent)
            && let Ok(renewed) = self.config.clone().build()
        {
            *client = Arc::new(renewed);
        }
    }
}

/// `url` in its plain form, if it is one that can be connected to. What stands before an `@` is not repeated in errors.
fn address(url: &str) -> Result<String, Error> {
    let shown = if url.contains('@') { "the address of the Qdrant server" } else { url };
    let refuse = |reason: &str| Err(Error::engine(format!("{shown} is not one that Footnote can use"), reason));
    let Ok(parsed) = Url::parse(url) else {
        return refuse("it is no URL; it looks like http://localhost:6334");
    };
    if !["http", "https"].contains(&parsed.scheme()) {
        return refuse("it must begin with http:// or https://, like http://localhost:6334");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return refuse(
            "it must not have a name or a key in it; --qdrant-api-key or FOOTNOTE_QDRANT_API_KEY give the key",
        );
    }
    Ok(parsed.into())
}

/// The key, if it can be sent. The client would print one that cannot.
fn sendable(key: &Secret) -> Result<&str, Error> {
    if key.is_visible_ascii() {
        return Ok(key.expose());
    }
    Err(Error::engine(
        "the API key of the Qdrant server cannot be sent",
        "it is empty or has characters that no key has, such as a space or a line end: look at --qdrant-api-key or \
         FOOTNOTE_QDRANT_API_KEY",
    ))
}
