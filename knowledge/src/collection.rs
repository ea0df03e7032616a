//! A collection of documents: names, payload and fingerprint, replacing a document whole, and hybrid search.
//!
//! Here: opening one and knowing which stored collection its name stands for. Vectors and queries are the store's
//! ([`crate::vector_store`]), which knows nothing of documents; turning text into vectors is [`crate::embedding`]'s.

mod chunk_cache;
mod document;
mod error;
mod fingerprint;
mod fusion;
mod listing;
mod names;
mod payload;
mod rebuild;
mod replace;
mod roots;
mod search;
mod selection;
mod sweep;
mod versions;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

pub use document::{Chunk, Document, EmbeddedChunk, Filter, Metadata, NewChunk, NewDocument};
pub use error::Error;
pub use fingerprint::{Fingerprint, embedded_text};
pub use fusion::Ranked;
pub use listing::Page;
pub use rebuild::Rebuild;
pub use search::{Candidate, ContextText, Dropped, Hit, SearchMode, SearchQuery, SearchResult};
pub use selection::Selection;
pub use sweep::{OLD_VERSIONS_STAY, ORPHANS_STAY, Swept};

use crate::embedding::EmbeddingIdentity;
use crate::vector_store::{Bm25, VectorStore};
use chunk_cache::ChunkCache;
use sweep::{Superseded, SweepsDue};

/// How long a server may go on with a name's old collection after the name was switched to another.
const RESOLVE_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A collection that this embedder can read; cheap to clone.
#[derive(Debug, Clone)]
pub struct Collection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: VectorStore,
    name: String,
    /// `NAME-<fingerprint>`: the stored collection that our embedder can read.
    stored: String,
    dimension: usize,
    bm25: Bm25,
    chunk_cache: ChunkCache,
    /// Whether it is used whatever the name stands for: it is being built, or read to build another from.
    pinned: bool,
    /// When the name was resolved last; none when it could not be since.
    resolved: Mutex<Option<Instant>>,
    superseded: Superseded,
    sweeps_due: Mutex<SweepsDue>,
}

impl Collection {
    /// Opens the collection that `name` stands for, making it if there is none. When the name stands for one that was
    /// made with another embedder: [`Error::FingerprintMismatch`].
    ///
    /// `name` is 1 to 64 letters, digits, `_`, `-` and `.`, the first a letter or digit.
    pub async fn open(store: VectorStore, name: &str, embedding: &EmbeddingIdentity) -> Result<Self, Error> {
        let found = Self::find(store.clone(), name, embedding).await?;
        let stored = stored_name(name, embedding);
        store.ensure_collection(&stored, &payload::schema(embedding.dimension)).await?;
        if let Some(collection) = found {
            return Ok(collection);
        }
        store.switch_alias(name, &stored).await?;
        Ok(Self::new(store, name, stored, embedding.dimension, false))
    }

    /// Like [`Collection::open`] for one who only looks: nothing is made or changed, and where there is no collection
    /// of this name, none is returned.
    pub async fn find(store: VectorStore, name: &str, embedding: &EmbeddingIdentity) -> Result<Option<Self>, Error> {
        names::check(name)?;
        let stored = stored_name(name, embedding);
        let Some(found) = store.resolve_alias(name).await? else { return Ok(None) };
        expect_ours(name, &stored, found)?;
        Ok(Some(Self::new(store, name, stored, embedding.dimension, false)))
    }

    fn new(store: VectorStore, name: &str, stored: String, dimension: usize, pinned: bool) -> Self {
        let chunk_cache = ChunkCache::new(store.is_shared());
        let inner = Arc::new_cyclic(|collection| Inner {
            store,
            name: name.to_owned(),
            stored,
            dimension,
            bm25: Bm25::new(),
            chunk_cache,
            pinned,
            resolved: Mutex::new(Some(Instant::now())),
            superseded: Superseded::start(collection.clone()),
            sweeps_due: Mutex::new(SweepsDue::of_a_new_process(payload::now())),
        });
        Self { inner }
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub fn store(&self) -> &VectorStore {
        &self.inner.store
    }

    /// The id that a document of this source has in a collection of this name, on any machine.
    pub fn document_id(&self, source: &str) -> Uuid {
        names::document_id(&self.inner.name, source)
    }

    /// Whether the store answers and the name still stands for a collection that our embedder can read.
    pub async fn check(&self) -> Result<(), Error> {
        self.inner.store.check().await?;
        self.resolve().await
    }

    /// To be called by one who is about to write much, and [`Collection::resume_indexing`] at the end: an HNSW index over
    /// all costs less than one that grows with every batch. Searches stay as they are up to then, only slower.
    pub async fn defer_indexing(&self) -> Result<(), Error> {
        Ok(self.inner.store.defer_indexing(self.stored().await?).await?)
    }

    /// Whoever is killed before leaves it to the next sweep.
    pub async fn resume_indexing(&self) -> Result<(), Error> {
        Ok(self.inner.store.resume_indexing(self.stored().await?).await?)
    }

    /// The stored collection, after making sure (at most every 10 s) that the name still stands for it.
    async fn stored(&self) -> Result<&str, Error> {
        if self.inner.pinned {
            return Ok(&self.inner.stored);
        }
        let due = {
            let mut resolved = self.inner.resolved.lock().unwrap_or_else(PoisonError::into_inner);
            let due = resolved.is_none_or(|resolved| resolved.elapsed() > RESOLVE_AGAIN_AFTER);
            if due && resolved.is_some() {
                // One caller asks, the others go on.
                *resolved = Some(Instant::now());
            }
            due
        };
        if due {
            self.resolve().await?;
        }
        Ok(&self.inner.stored)
    }

    async fn resolve(&self) -> Result<(), Error> {
        let Inner { store, name, stored, resolved, .. } = &*self.inner;
        let found = match store.resolve_alias(name).await {
            Ok(Some(found)) => expect_ours(name, stored, found),
            Ok(None) => Err(Error::Gone { name: name.clone() }),
            Err(error) => Err(error.into()),
        };
        let now = found.is_ok().then(Instant::now);
        *resolved.lock().unwrap_or_else(PoisonError::into_inner) = now;
        found
    }
}

fn stored_name(name: &str, embedding: &EmbeddingIdentity) -> String {
    format!("{name}-{}", Fingerprint::new(embedding))
}

fn expect_ours(name: &str, ours: &str, found: String) -> Result<(), Error> {
    if found == ours {
        Ok(())
    } else {
        Err(Error::FingerprintMismatch { name: name.to_owned(), ours: ours.to_owned(), found })
    }
}
