//! `serve --ingest`: brings folders in while the server already answers, and keeps the count for `/readyz`. What is
//! done to each file is the business of the `ingest` library.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::library::Library;

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

    pub async fn run(self, _paths: Vec<PathBuf>, _library: Library) {}

    fn update(&self, change: impl FnOnce(&mut IngestingState)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(state.get_or_insert_default());
    }
}
