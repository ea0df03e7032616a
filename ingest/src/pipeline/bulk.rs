//! A run that writes much keeps a Qdrant server from building its HNSW index meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

/// From here on a run counts as one that writes much: some minutes of embedding.
const CHUNKS: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Bulk {
    written: AtomicUsize,
}

impl Bulk {
    /// Whether it begins with these chunks more.
    pub(super) fn begins_with(&self, chunks: usize) -> bool {
        let before = self.written.fetch_add(chunks, Ordering::Relaxed);
        before < CHUNKS && before + chunks >= CHUNKS
    }

    pub(super) fn has_begun(&self) -> bool {
        self.written.load(Ordering::Relaxed) >= CHUNKS
    }
}
