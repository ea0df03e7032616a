//! Every call to the server: its deadline, whether it is tried again, and what its errors mean to us.

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use qdrant_client::QdrantError;

use super::super::error::Error;

pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// The longest deadline of all.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

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
            Self::Changing => LONGEST,
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

/// Makes a call, again if it is worth it. `what` says in an error what was attempted.
pub(super) async fn call<T, F>(
    what: &str,
    collection: &str,
    patience: Patience,
    request: impl Fn() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, QdrantError>>,
{
    let attempt = || async {
        let deadline = patience.deadline();
        match tokio::time::timeout(deadline, request()).await {
            Ok(outcome) => outcome.map_err(|error| meaning(what, collection, deadline, error)),
            Err(_) => Err(Error::Timeout { seconds: deadline.as_secs() }),
        }
    };
    attempt.retry(patience.backoff()).when(|error| matches!(error, Error::Unavailable { .. })).await
}

fn meaning(what: &str, collection: &str, deadline: Duration, error: QdrantError) -> Error {
    match error {
        QdrantError::ResponseError { ref status } | QdrantError::ResourceExhaustedError { ref status, .. } => {
            let message = status.message().to_owned();
            // The numbers of https://grpc.io/docs/guides/status-codes/.
            match i32::from(status.code()) {
                // Cancelled is what the client's own deadline is reported as.
                1 | 4 => Error::Timeout { seconds: deadline.as_secs() },
                5 => Error::NotFound { collection: collection.to_owned() },
                7 | 16 => Error::Unauthorized { message },
                8 | 14 => Error::Unavailable { message },
                // Unknown: the connection broke. Internal is both the client that cannot connect and a server in trouble.
                2 => Error::Unavailable { message },
                13 if message.starts_with("Failed to connect") || message.contains("transport") => {
                    Error::Unavailable { message }
                }
                _ => Error::engine(format!("{what} failed"), error),
            }
        }
        QdrantError::Io(error) => Error::Unavailable { message: error.to_string() },
        error => Error::engine(format!("{what} failed"), error),
    }
}
