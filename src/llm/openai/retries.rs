//! Trying an answer again before its first piece is out.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::time::Instant;

use super::Retries;
use crate::llm::Error;

/// Runs `attempt` until it succeeds, fails for good, or no further try fits before the deadline; then the last failure
/// is the answer, since it says more than "too late".
pub(super) async fn run<Value, Attempt, Attempting>(
    attempt: Attempt,
    retries: Retries,
    deadline: Instant,
) -> Result<Value, Error>
where
    Attempt: FnMut() -> Attempting,
    Attempting: Future<Output = Result<Value, Error>>,
{
    attempt
        .retry(backoff(retries))
        .when(may_pass)
        .adjust(|error, delay| {
            let time_left = deadline.saturating_duration_since(Instant::now());
            delay.map(|delay| delay.max(asked_delay(error))).filter(|delay| *delay < time_left)
        })
        .await
}

/// Jitter keeps the servers that one hiccup of the endpoint hit from coming back all at once.
fn backoff(retries: Retries) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(retries.first_delay)
        .with_max_delay(retries.longest_delay)
        .with_max_times(retries.limit)
        .with_jitter()
}

/// Whether the same request may succeed a little later.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Unavailable(_) | Error::RateLimited { .. } | Error::Interrupted(_) => true,
        // The time for it is used up.
        Error::Timeout { .. } => false,
        Error::Rejected(_)
        | Error::TooLong(_)
        | Error::QuestionTooLong { .. }
        | Error::InvalidResponse(_)
        | Error::Empty(_)
        | Error::Embedding(_) => false,
    }
}

fn asked_delay(error: &Error) -> Duration {
    match error {
        Error::RateLimited { retry_after: Some(delay), .. } => *delay,
        Error::RateLimited { retry_after: None, .. }
        | Error::Unavailable(_)
        | Error::Timeout { .. }
        | Error::Rejected(_)
        | Error::TooLong(_)
        | Error::QuestionTooLong { .. }
        | Error::InvalidResponse(_)
        | Error::Empty(_)
        | Error::Interrupted(_)
        | Error::Embedding(_) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use backon::BackoffBuilder;

    use super::*;

    #[test]
    fn no_two_servers_wait_the_same() {
        let waits: HashSet<Vec<Duration>> = (0..5).map(|_| backoff(Retries::default()).build().collect()).collect();
        assert!(waits.len() > 1, "every server waits {waits:?}");
    }
}
