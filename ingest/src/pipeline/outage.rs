//! Waiting for what is away for a while: a vector store or an embedding endpoint that is restarted does not cost a run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::with_cause;
use crate::report::{Event, Recorder};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Repeats what failed for the moment, and tells when waiting begins and ends.
pub(crate) struct Outages<'a> {
    recorder: &'a Recorder<'a>,
    longest: Duration,
    /// Callers that wait now: one outage is met by several, and told once.
    waiting: Mutex<usize>,
}

impl<'a> Outages<'a> {
    pub(crate) fn new(recorder: &'a Recorder<'a>, longest: Duration) -> Self {
        Self { recorder, longest, waiting: Mutex::default() }
    }

    /// The outcome of `attempt`, which is made again while its error `passes` by itself, for as long as an
    /// outage may take.
    pub(crate) async fn wait_out<T, Failure, Attempt>(
        &self,
        passes: impl Fn(&Failure) -> bool,
        attempt: impl Fn() -> Attempt,
    ) -> Result<T, Failure>
    where
        Failure: std::error::Error,
        Attempt: Future<Output = Result<T, Failure>>,
    {
        let mut began = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match attempt().await {
                Err(error) if passes(&error) => error,
                outcome => {
                    if began.is_some() {
                        self.end_waiting(true);
                    }
                    return outcome;
                }
            };
            let began = *began.get_or_insert_with(|| {
                self.begin_waiting(&error);
                Instant::now()
            });
            if began.elapsed() >= self.longest {
                self.end_waiting(false);
                return Err(error);
            }
            drop(error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn begin_waiting(&self, error: &dyn std::error::Error) {
        let mut waiting = self.waiting();
        *waiting += 1;
        if *waiting == 1 {
            self.recorder.tell(Event::Waiting { reason: with_cause(error) });
        }
    }

    fn end_waiting(&self, goes_on: bool) {
        let mut waiting = self.waiting();
        *waiting -= 1;
        if *waiting == 0 && goes_on {
            self.recorder.tell(Event::Resumed);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, usize> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use footnote_knowledge::vector_store::Error;

    use super::*;

    fn away() -> Error {
        Error::Unavailable { message: "it is restarted".to_owned() }
    }

    /// The outcome of an attempt that fails so often before it succeeds, and what was told meanwhile.
    async fn outcome(failures: usize, longest: Duration, failure: fn() -> Error) -> (Result<usize, Error>, Vec<Event>) {
        let events = Mutex::new(Vec::new());
        let tell = |event| events.lock().unwrap().push(event);
        let recorder = Recorder::new(&tell);
        let attempts = Cell::new(0);
        let attempt = || {
            attempts.set(attempts.get() + 1);
            std::future::ready(if attempts.get() > failures { Ok(attempts.get()) } else { Err(failure()) })
        };
        let outcome = Outages::new(&recorder, longest).wait_out(Error::is_transient, attempt).await;
        (outcome, events.into_inner().unwrap())
    }

    #[tokio::test]
    async fn an_outage_is_waited_out_and_told_once() {
        let (outcome, events) = outcome(2, Duration::MAX, away).await;
        assert_eq!(outcome.unwrap(), 3);
        let [Event::Waiting { reason }, Event::Resumed] = events.as_slice() else { panic!("{events:?}") };
        assert!(reason.contains("it is restarted"), "{reason}");
    }

    #[tokio::test]
    async fn an_outage_without_end_is_given_up() {
        let (outcome, events) = outcome(usize::MAX, Duration::from_millis(1), away).await;
        assert!(matches!(outcome, Err(Error::Unavailable { .. })));
        assert!(matches!(events.as_slice(), [Event::Waiting { .. }]), "{events:?}");
    }

    #[tokio::test]
    async fn what_does_not_pass_is_not_repeated() {
        let refused = || Error::Unauthorized { message: "no".to_owned() };
        let (outcome, events) = outcome(1, Duration::MAX, refused).await;
        assert!(matches!(outcome, Err(Error::Unauthorized { .. })));
        assert_eq!(events, []);
    }
}
