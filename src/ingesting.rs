//! `serve --ingest`: brings folders in while the server already answers, and keeps the count for `/readyz`. What is
//! done to each file is the business of the `ingest` library.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use footnote_ingest::{Event, IngestOptions, Outcome, Report, ingest};
use serde::Serialize;

use crate::library::{Library, Opened};

/// How often a vector store that is not there yet is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

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
    /// Why it stopped before the end, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Ingesting {
    /// None when the server was not asked to ingest anything.
    pub fn state(&self) -> Option<IngestingState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ingests `paths` as soon as the library can be opened, to the end.
    pub async fn run(self, paths: Vec<PathBuf>, library: Library) {
        self.update(|state| state.running = true);
        let opened = opened(&library).await;
        let progress = |event| self.update(|state| state.note(&event));
        let outcome = ingest(&paths, &opened.collection, &opened.embedder, &IngestOptions::default(), progress).await;
        match &outcome {
            Ok(report) => log(report),
            Err(error) => tracing::error!(error = error as &dyn std::error::Error, "the ingest stopped before its end"),
        }
        self.update(|state| {
            state.running = false;
            state.error = outcome.err().map(|error| format!("{:#}", anyhow::Error::new(error)));
        });
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
            Event::Chunked { .. } => {}
            Event::Embedded { chunks } => self.chunks += chunks,
            Event::FileDone { outcome, .. } => {
                self.files_done += 1;
                self.files_failed += usize::from(matches!(outcome, Outcome::Failed { .. }));
            }
        }
    }
}

/// Waits for a store that is not there yet; nobody else is kept waiting by that.
async fn opened(library: &Library) -> &Opened {
    loop {
        if let Ok(opened) = library.open().await {
            return opened;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn log(report: &Report) {
    for failure in &report.failed {
        let (source, reason, advice) = (&failure.source, &failure.reason, &failure.advice);
        tracing::warn!(source, reason, advice, "a file could not be ingested");
    }
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
