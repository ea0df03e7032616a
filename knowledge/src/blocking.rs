//! Work on texts, away from the async workers.

/// The work panicked, or the program ended before it began. What the panic said is left out, since it may quote a text, as
/// those of slicing do.
#[derive(Debug, thiserror::Error)]
#[error("the work on a text panicked or was given up")]
pub struct Unfinished;

/// Runs it on the blocking pool.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unfinished> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Unfinished)
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn what_a_panic_says_is_not_passed_on() {
        let text = "grün, a secret".to_owned();
        let error = super::run(move || text[..3].to_owned()).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains("panicked") && !said.contains("secret"), "{said}");
    }
}
