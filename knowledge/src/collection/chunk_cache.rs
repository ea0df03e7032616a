//! Passages that were read lately, so that a search on a server need not ask for them again.
//!
//! What a chunk says never changes under its id, which is made of its document's version and its number. Whether it may be
//! answered with does: that is asked of the document's point in every search. Its tags and the time it was written may be
//! older here than in the store; nothing that a search answers with looks at them.

use std::collections::HashMap;

use moka::future::Cache;
use uuid::Uuid;

use super::document::Chunk;

/// Bytes of text: some thousand passages.
const MOST_BYTES: u64 = 8 << 20;

/// What a passage takes beside its text.
const OVERHEAD: usize = 512;

#[derive(Debug, Clone)]
pub(super) struct ChunkCache(Option<Cache<Uuid, Chunk>>);

impl ChunkCache {
    /// One that keeps nothing where reading is no round trip.
    pub(super) fn new(is_elsewhere: bool) -> Self {
        let weigh = |_: &Uuid, chunk: &Chunk| u32::try_from(chunk.text.len() + OVERHEAD).unwrap_or(u32::MAX);
        Self(is_elsewhere.then(|| Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).build()))
    }

    /// Those of the chunks that are here; `ids` keeps the others.
    pub(super) async fn take(&self, ids: &mut Vec<Uuid>) -> HashMap<Uuid, Chunk> {
        let mut found = HashMap::new();
        if let Some(cache) = &self.0 {
            for id in ids.iter() {
                if let Some(chunk) = cache.get(id).await {
                    found.insert(*id, chunk);
                }
            }
            ids.retain(|id| !found.contains_key(id));
        }
        found
    }

    pub(super) async fn put(&self, chunk: &Chunk) {
        if let Some(cache) = &self.0 {
            cache.insert(chunk.id, chunk.clone()).await;
        }
    }
}
