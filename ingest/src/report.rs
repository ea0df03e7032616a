//! What happened to each file, as it happens and at the end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Stopped};

/// Something worth showing while a run goes on. Sources come in no particular order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A file to look at was found.
    Discovered { source: String, bytes: u64 },
    /// All files there are have been found.
    DiscoveryDone { files: usize },
    /// A new or changed file was cut into this many chunks, which are to be embedded.
    Chunked { source: String, chunks: usize },
    /// This many more chunks have their vectors.
    Embedded { chunks: usize },
    /// This many more chunks have vectors that were known already.
    Reused { chunks: usize },
    /// So many documents below the given paths have no file any more, and stay.
    Gone { documents: usize },
    /// The vector store or the embedding endpoint is away for the moment, and the run waits for it.
    Waiting { reason: String },
    /// It is back.
    Resumed,
    /// Nothing more will happen to this file.
    FileDone {
        source: String,
        #[serde(flatten)]
        outcome: Outcome,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Added {
        chunks: usize,
    },
    Updated {
        chunks: usize,
    },
    Unchanged,
    /// Its file is no longer there.
    Removed,
    Skipped {
        reason: String,
    },
    Failed {
        reason: String,
        advice: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub source: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub source: String,
    pub reason: String,
    /// What the person can do about it.
    pub advice: String,
}

/// The outcome of a run, as far as it came.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// All that were looked at: added, updated, unchanged, skipped and failed.
    pub files: usize,
    pub added: usize,
    pub updated: usize,
    pub unchanged: usize,
    /// Documents whose files are no longer there, and which were removed.
    pub removed: usize,
    /// Such documents that stay.
    pub gone: usize,
    pub skipped: Vec<Skipped>,
    pub failed: Vec<Failure>,
    /// Written in this run.
    pub chunks: usize,
    /// Of these, those whose vectors were known already.
    pub reused: usize,
    /// From the first look at a folder to the last acknowledged write.
    pub seconds: f64,
    pub stages: StageSeconds,
}

/// Seconds in which a stage had something to do. They overlap, so that they add up to more than the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StageSeconds {
    /// Reading, hashing, extracting, chunking.
    pub prepare: f64,
    pub embed: f64,
    pub index: f64,
}

impl Report {
    pub fn chunks_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.chunks as f64 / self.seconds } else { 0.0 }
    }

    fn add(&mut self, source: &str, outcome: &Outcome) {
        self.files += usize::from(*outcome != Outcome::Removed);
        let source = source.to_owned();
        match outcome {
            Outcome::Added { chunks } => {
                self.added += 1;
                self.chunks += chunks;
            }
            Outcome::Updated { chunks } => {
                self.updated += 1;
                self.chunks += chunks;
            }
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Removed => self.removed += 1,
            Outcome::Skipped { reason } => self.skipped.push(Skipped { source, reason: reason.clone() }),
            Outcome::Failed { reason, advice } => {
                self.failed.push(Failure { source, reason: reason.clone(), advice: advice.clone() });
            }
        }
    }
}

/// Is told every event of a run.
pub type Progress<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Tells every event to whoever watches, and counts.
pub(crate) struct Recorder<'a> {
    report: Mutex<Report>,
    progress: Progress<'a>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(progress: Progress<'a>) -> Self {
        Self { report: Mutex::default(), progress }
    }

    pub(crate) fn tell(&self, event: Event) {
        match &event {
            Event::FileDone { source, outcome } => self.report().add(source, outcome),
            Event::Reused { chunks } => self.report().reused += chunks,
            Event::Gone { documents } => self.report().gone = *documents,
            Event::Discovered { .. }
            | Event::DiscoveryDone { .. }
            | Event::Chunked { .. }
            | Event::Embedded { .. }
            | Event::Waiting { .. }
            | Event::Resumed => {}
        }
        (self.progress)(event);
    }

    pub(crate) fn done(&self, source: String, outcome: Outcome) {
        self.tell(Event::FileDone { source, outcome });
    }

    /// Of documents that were cut elsewhere, so that their outcomes do not tell.
    pub(crate) fn add_chunks(&self, chunks: usize) {
        self.report().chunks += chunks;
    }

    /// Lists are sorted by source, because the order in which files are done is chance.
    pub(crate) fn finish(&self, seconds: f64, stages: StageSeconds) -> Report {
        let mut report = std::mem::take(&mut *self.report());
        report.skipped.sort_by(|one, other| one.source.cmp(&other.source));
        report.failed.sort_by(|one, other| one.source.cmp(&other.source));
        Report { seconds, stages, ..report }
    }

    /// What a run came to that began then: its report, also where it stopped.
    pub(crate) fn conclude(
        &self,
        outcome: Result<(), Error>,
        started: Instant,
        stages: StageSeconds,
    ) -> Result<Report, Box<Stopped>> {
        let report = self.finish(started.elapsed().as_secs_f64(), stages);
        match outcome {
            Ok(()) => Ok(report),
            Err(error) => Err(Box::new(Stopped { error, report })),
        }
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
