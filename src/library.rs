//! The documents as the server holds them: the embedder and the collection, opened as soon as both can be reached.
//!
//! A Qdrant server or an embedding endpoint that is down when Footnote starts must not keep it from starting, so both
//! are opened on first use; what only a person can mend (a folder in use, a wrong URL) is told at start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{self, Collection};
use footnote_knowledge::connect::{open_collection, open_embedder};
use footnote_knowledge::embedding::{self, Embedder};
use footnote_knowledge::options::{EmbeddingOptions, OpenAiOptions, StoreOptions};
use tokio::sync::{Mutex, OnceCell};

/// How long a failed opening is remembered, so that an outage does not cost every request a connection attempt.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The embedder and the collection it fills; cheap to clone.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    options: LibraryOptions,
    opened: OnceCell<Opened>,
    last_failure: Mutex<Option<(Instant, Arc<Error>)>>,
}

/// What the library is opened with.
struct LibraryOptions {
    store: StoreOptions,
    embedding: EmbeddingOptions,
    openai: OpenAiOptions,
    /// Used in place of opening another.
    embedder: Option<Arc<Embedder>>,
}

/// Both parts, open.
pub struct Opened {
    pub embedder: Arc<Embedder>,
    pub collection: Collection,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the embedding model cannot be used")]
    Embedding(#[from] embedding::Error),
    #[error("the collection of documents cannot be used")]
    Collection(#[from] collection::Error),
}

impl Error {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Embedding(error) => error.is_transient(),
            Self::Collection(error) => error.is_transient(),
        }
    }

    /// Whether a server should refuse to start with it. A collection of another embedder is no such case: `/readyz`
    /// tells of it, and the other servers of the fleet go on.
    pub fn needs_a_person_before_start(&self) -> bool {
        let foreign = matches!(self, Self::Collection(collection::Error::FingerprintMismatch { .. }));
        !self.is_transient() && !foreign
    }
}

impl Library {
    /// `embedder` is the one that the options ask for, if it is open already.
    pub fn new(
        store: StoreOptions,
        embedding: EmbeddingOptions,
        openai: OpenAiOptions,
        embedder: Option<Arc<Embedder>>,
    ) -> Self {
        let options = LibraryOptions { store, embedding, openai, embedder };
        Self(Arc::new(Inner { options, opened: OnceCell::new(), last_failure: Mutex::new(None) }))
    }

    /// Where the vectors are, for people: `embedded` or `qdrant`.
    pub fn kind(&self) -> &'static str {
        if self.0.options.store.qdrant_url.is_some() { "qdrant" } else { "embedded" }
    }

    /// The embedder and the collection, opening them if that has not succeeded yet.
    pub async fn open(&self) -> Result<&Opened, Arc<Error>> {
        if let Some(opened) = self.0.opened.get() {
            return Ok(opened);
        }
        // One at a time: whoever waited here finds the result of the attempt before.
        let mut last_failure = self.0.last_failure.lock().await;
        if let Some((at, error)) = last_failure.as_ref()
            && at.elapsed() < RETRY_AFTER
        {
            return Err(Arc::clone(error));
        }
        self.0.opened.get_or_try_init(|| self.0.options.open()).await.map_err(|error| {
            let error = Arc::new(error);
            *last_failure = Some((Instant::now(), Arc::clone(&error)));
            error
        })
    }

    /// Whether documents can be searched right now.
    pub async fn check(&self) -> Result<(), Arc<Error>> {
        let opened = self.open().await?;
        opened.embedder.check().await.map_err(|error| Arc::new(error.into()))?;
        opened.collection.check().await.map_err(|error| Arc::new(error.into()))
    }
}

impl LibraryOptions {
    async fn open(&self) -> Result<Opened, Error> {
        let embedder = match &self.embedder {
            Some(embedder) => Arc::clone(embedder),
            None => Arc::new(open_embedder(&self.embedding, &self.openai).await?),
        };
        let collection = open_collection(&self.store, &embedder).await?;
        Ok(Opened { embedder, collection })
    }
}
