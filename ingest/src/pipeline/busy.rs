//! How long each stage had something to do.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::report::StageSeconds;

#[derive(Debug, Default)]
pub(super) struct BusyStages {
    pub(super) preparing: BusyTime,
    pub(super) embedding: BusyTime,
    pub(super) indexing: BusyTime,
}

impl BusyStages {
    pub(super) fn seconds(&self) -> StageSeconds {
        StageSeconds {
            prepare: self.preparing.seconds(),
            embed: self.embedding.seconds(),
            index: self.indexing.seconds(),
        }
    }
}

/// Adds up the time in which at least one piece of work was under way.
#[derive(Debug, Default)]
pub(super) struct BusyTime(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    since: Option<Instant>,
    total: Duration,
}

impl BusyTime {
    /// Counts until what this returns is dropped.
    pub(super) fn begin(&self) -> impl Drop {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.under_way += 1;
        state.since.get_or_insert_with(Instant::now);
        Busy(self)
    }

    fn seconds(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total.as_secs_f64()
    }
}

struct Busy<'a>(&'a BusyTime);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.under_way -= 1;
        if state.under_way == 0
            && let Some(since) = state.since.take()
        {
            state.total += since.elapsed();
        }
    }
}
