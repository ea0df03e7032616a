//! The bar that moves on a terminal: how far each stage is, how fast, and how long it will still take.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use footnote_ingest::{Event, Outcome};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::{line, print_error};

/// Before that, a rate says nothing about the time left.
const FIRST_GUESS: Duration = Duration::from_secs(3);

pub(crate) struct Bar {
    bar: ProgressBar,
    counts: Mutex<Counts>,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    found: u64,
    found_all: bool,
    /// Files that were read and cut.
    read: u64,
    chunks: u64,
    embedded: u64,
    /// Documents that were added or updated.
    written: u64,
    done: u64,
    failed: u64,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} files  {msg}  {elapsed}")
            .expect("the template is valid");
        Self { bar: ProgressBar::new(0).with_style(style), counts: Mutex::default() }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    pub(crate) fn event(&self, event: &Event) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.note(event)
            && let Some(line) = line(event)
        {
            self.bar.suspend(|| print_error(&line));
        }
        self.bar.set_length(counts.found.max(counts.done));
        self.bar.set_position(counts.done);
        self.bar.set_message(counts.message(self.bar.elapsed()));
    }
}

impl Counts {
    /// Whether it is worth a line above the bar.
    fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Discovered { .. } => self.found += 1,
            Event::DiscoveryDone { files } => {
                self.found = *files as u64;
                self.found_all = true;
            }
            Event::Chunked { chunks, .. } => {
                self.read += 1;
                self.chunks += *chunks as u64;
            }
            Event::Embedded { chunks } | Event::Reused { chunks } => self.embedded += *chunks as u64,
            Event::Gone { .. } => {}
            Event::Waiting { .. } | Event::Resumed => return true,
            Event::FileDone { outcome, .. } => match outcome {
                Outcome::Added { .. } | Outcome::Updated { .. } => {
                    self.done += 1;
                    self.written += 1;
                }
                Outcome::Unchanged | Outcome::Skipped { .. } => self.done += 1,
                Outcome::Removed => {}
                Outcome::Failed { .. } => {
                    self.done += 1;
                    self.failed += 1;
                    return true;
                }
            },
        }
        false
    }

    fn message(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(f64::EPSILON);
        let (files_a_second, chunks_a_second) = (self.done as f64 / seconds, self.embedded as f64 / seconds);
        let mut message = format!("{files_a_second:.0} files/s, ");
        message += &format!("read {}, embedded {}/{} chunks, ", self.read, self.embedded, self.chunks);
        message += &format!("{chunks_a_second:.0} chunks/s, written {}", self.written);
        if self.failed > 0 {
            message += &format!(", {} failed", self.failed);
        }
        match self.time_left(elapsed) {
            Some(left) => message += &format!(", {} left", HumanDuration(left)),
            None if !self.found_all => message += ", still searching",
            None => {}
        }
        message
    }

    /// As long as the rest takes at the pace so far, once it is known how much there is.
    fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        let known = self.found_all && self.done > 0 && elapsed >= FIRST_GUESS;
        known.then(|| elapsed.mul_f64(self.found.saturating_sub(self.done) as f64 / self.done as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(outcome: Outcome) -> Event {
        Event::FileDone { source: "a".to_owned(), outcome }
    }

    #[test]
    fn each_stage_is_counted_and_the_time_left_is_that_of_the_rest() {
        let mut counts = Counts::default();
        for _ in 0..4 {
            counts.note(&Event::Discovered { source: "a".to_owned(), bytes: 1 });
        }
        assert!(counts.message(Duration::from_secs(10)).ends_with("still searching"));
        counts.note(&Event::DiscoveryDone { files: 4 });
        counts.note(&Event::Chunked { source: "a".to_owned(), chunks: 30 });
        counts.note(&Event::Embedded { chunks: 20 });
        counts.note(&done(Outcome::Added { chunks: 20 }));
        assert!(counts.note(&done(Outcome::Failed { reason: String::new(), advice: String::new() })));
        assert!(!counts.note(&done(Outcome::Removed)));
        assert_eq!(
            counts.message(Duration::from_secs(10)),
            "0 files/s, read 1, embedded 20/30 chunks, 2 chunks/s, written 1, 1 failed, 10 seconds left"
        );
    }
}
