//! Every call to the server: its deadline, whether it is tried again, and what its errors mean to us.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use qdrant_client::{Qdrant, QdrantError};

use super::super::error::Error;
use super::connection::Connection;

/// How long a caller is willing to wait for a server that is down or slow. Every call may be made twice: upserts and
/// deletes have the same effect again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    /// The caller wants to know how it is now.
    None,
    /// Somebody waits for an answer: a connection that broke is made again, a server that is stuck is given up after 5 s.
    Reading,
    /// Somebody waits for a change, which may take the server long. Longer outages are an ingest's to wait out.
    Changing,
}

impl Patience {
    fn deadline(self) -> Duration {
        match self {
            Self::None | Self::Reading => Duration::from_secs(5),
            Self::Changing => Duration::from_secs(60),
        }
    }

    fn backoff(self) -> ExponentialBuilder {
        let backoff = ExponentialBuilder::new().with_jitter();
        match self {
            Self::None => backoff.with_max_times(0),
            Self::Reading | Self::Changing => backoff.with_min_delay(Duration::from_millis(100)).with_max_times(2),
        }
    }
}

impl Connection {
    /// Makes a call, again if it is worth it. `what` says in an error what was attempted.
    pub(super) async fn call<T, F>(
        &self,
        what: &str,
        collection: &str,
        patience: Patience,
        request: impl Fn(Arc<Qdrant>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let deadline = patience.deadline();
        let attempt = || async {
            let client = self.client();
            match tokio::time::timeout(deadline, request(Arc::clone(&client))).await {
                Ok(outcome) => outcome.map_err(|error| meaning(what, collection, deadline, error)),
                Err(_) => {
                    self.renew(&client);
                    Err(Error::Timeout { seconds: deadline.as_secs() })
                }
            }
        };
        attempt.retry(patience.backoff()).when(|error| matches!(error, Error::Unavailable { .. })).await
    }
}

fn meaning(what: &str, collection: &str, deadline: Duration, error: QdrantError) -> Error {
    match error {
        QdrantError::ResponseError { ref status } | QdrantError::ResourceExhaustedError { ref status, .. } => {
            let message = with_advice(with_causes(status.message(), status));
            // The numbers of https://grpc.io/docs/guides/status-codes/.
            match i32::from(status.code()) {
                4 => Error::Timeout { seconds: deadline.as_secs() },
                5 => Error::NotFound { collection: collection.to_owned() },
                7 | 16 => Error::Unauthorized { message },
                // Cancelled and Unknown: the connection broke. Internal: it could not be made, or the server, or another
                // one of its cluster, is in trouble.
                1 | 2 | 8 | 13 | 14 => Error::Unavailable { message },
                _ => Error::engine(format!("{what} failed"), message),
            }
        }
        QdrantError::Io(error) => Error::Unavailable { message: error.to_string() },
        error => Error::engine(format!("{what} failed"), error),
    }
}

/// `transport error` alone says nothing.
fn with_causes(message: &str, status: &(dyn StdError + 'static)) -> String {
    let mut parts = vec![message.to_owned()];
    let mut next = status.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // The message often is one of the causes', which often repeat each other.
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    parts.join(": ")
}

const HTTP_PORT: &str = "is this its HTTP port? Footnote needs the one for gRPC, usually 6334";

/// With what a person can do about it, where the message alone does not tell.
fn with_advice(message: String) -> String {
    let known = [
        ("InvalidCertificate", "its certificate is not one that this system trusts"),
        ("InvalidContentType", "nothing speaks TLS there: is it http://?"),
        ("NativeCertsNotFound", "this system has no certificates of authorities: install ca-certificates"),
        ("http2 error", HTTP_PORT),
        ("grpc-status header missing", HTTP_PORT),
    ];
    match known.into_iter().find(|(sign, _)| message.contains(sign)) {
        Some((_, advice)) => format!("{message} ({advice})"),
        None => message,
    }
}
