//! `serve --ingest`: brings folders in while the server already answers, and keeps the count for `/readyz`. What is
//! done to each file is the business of the `ingest` library.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use footnote_ingest::discover::{self, RootError, Unreached};
use footnote_ingest::{Event, Extractor, IngestOptions, Outcome, Report, ingest};
use serde::Serialize;

use crate::library::{self, Library};

/// The state of the ingest that the server was started with; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Ingesting(Arc<Mutex<Option<IngestingState>>>);

#[derive(Debug, Clone, Default, Serialize)]
pub struct IngestingState {
    pub running: bool,
    pub files_found: usize,
    pub files_done: usize,
    pub files_failed: usize,
    pub chunks: usize,
    /// Why it cannot begin, or what it waits for while it is running, or why it stopped before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether `paths` can be ingested together, before anything is opened. Returns those that cannot be reached, which are not
/// all.
pub fn check(paths: &[PathBuf]) -> anyhow::Result<Vec<Unreached>> {
    discover::roots(paths, None).map(|roots| roots.unreached).map_err(|error| match error {
        RootError::Missing(_) | RootError::Unreadable { .. } => anyhow!("--ingest: {error}"),
        RootError::Nameless(_)
        | RootError::InvalidName(_)
        | RootError::SameName { .. }
        | RootError::NameTaken { .. }
        | RootError::NameTakenElsewhere { .. } => {
            anyhow!("--ingest: {error} (--root-name is an option of the `ingest` program)")
        }
    })
}

impl Ingesting {
    /// None when the server was not asked to ingest anything.
    pub fn state(&self) -> Option<IngestingState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ingests `paths` as soon as the library can be opened, to the end. It counts as running from now on.
    pub fn run(self, paths: Vec<PathBuf>, library: Library, extractor: Extractor) -> impl Future<Output = ()> + Send {
        self.update(|state| state.running = true);
        self.run_to_the_end(paths, library, extractor)
    }

    async fn run_to_the_end(self, paths: Vec<PathBuf>, library: Library, extractor: Extractor) {
        // Nobody else is kept waiting by that.
        let writing = library.wait_to_write(|error| self.cannot_begin(error)).await;
        let opened = &writing.opened;
        self.update(|state| state.error = None);
        let progress = |event: Event| {
            log_event(&event);
            self.update(|state| state.note(&event));
        };
        // Nobody is there to start it again, and `/readyz` tells what it waits for.
        let options = IngestOptions { longest_outage: Duration::MAX, extractor, ..IngestOptions::default() };
        let outcome = ingest(&paths, &opened.collection, &opened.embedder, &options, &progress).await;
        let error = match outcome {
            Ok(report) => {
                log_report(&report);
                None
            }
            Err(stopped) => {
                let error = format!("{:#}", anyhow::Error::new(stopped.error));
                tracing::error!(error, "the ingest stopped before its end");
                Some(error)
            }
        };
        self.update(|state| {
            state.running = false;
            state.error = error;
        });
    }

    /// What passes by itself is told by whoever waits for it; what does not is logged once.
    fn cannot_begin(&self, error: &Arc<library::Error>) {
        if error.is_transient() {
            return;
        }
        let text = format!("{:#}", anyhow::Error::new(Arc::clone(error)));
        if self.state().is_some_and(|state| state.error.as_ref() != Some(&text)) {
            tracing::error!(error = text, "the ingest cannot begin");
            self.update(|state| state.error = Some(text));
        }
    }

    fn update(&self, change: impl FnOnce(&mut IngestingState)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(state.get_or_insert_default());
    }
}

impl IngestingState {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Discovered { .. } => self.files_found += 1,
            Event::DiscoveryDone { files } => self.files_found = *files,
            Event::Chunked { .. } | Event::Gone { .. } => {}
            Event::Embedded { chunks } | Event::Reused { chunks } => self.chunks += chunks,
            Event::Waiting { reason } => self.error = Some(reason.clone()),
            Event::Resumed => self.error = None,
            Event::FileDone { outcome, .. } => {
                self.files_done += 1;
                self.files_failed += usize::from(matches!(outcome, Outcome::Failed { .. }));
            }
        }
    }
}

/// A file that is not in the collection afterwards is named as soon as that is known.
fn log_event(event: &Event) {
    let (source, outcome) = match event {
        Event::FileDone { source, outcome } => (source, outcome),
        Event::Waiting { reason } => return tracing::warn!(reason, "the ingest waits"),
        Event::Resumed => return tracing::info!("the ingest goes on"),
        Event::Discovered { .. }
        | Event::DiscoveryDone { .. }
        | Event::Chunked { .. }
        | Event::Embedded { .. }
        | Event::Reused { .. }
        | Event::Gone { .. } => return,
    };
    match outcome {
        Outcome::Failed { reason, advice } => tracing::warn!(source, reason, advice, "a file could not be ingested"),
        Outcome::Skipped { reason } => tracing::info!(source, reason, "a file was skipped"),
        Outcome::Added { .. } | Outcome::Updated { .. } | Outcome::Unchanged | Outcome::Removed => {}
    }
}

fn log_report(report: &Report) {
    tracing::info!(
        files = report.files,
        added = report.added,
        updated = report.updated,
        unchanged = report.unchanged,
        skipped = report.skipped.len(),
        failed = report.failed.len(),
        chunks = report.chunks,
        duration.s = report.seconds,
        "ingested"
    );
}
