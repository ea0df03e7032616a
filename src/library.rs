//! The documents as the server holds them: the embedder and the collection, opened as soon as both can be reached.
//!
//! A Qdrant server or an embedding endpoint that is down when Footnote starts must not keep it from starting, so both
//! are opened on first use; what only a person can mend (a folder in use, a wrong URL) is told at start.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{self, Collection};
use footnote_knowledge::connect::{find_collection, open_collection};
use footnote_knowledge::embedding::{self, Embedder};
use footnote_knowledge::options::{EmbedderKind, EmbeddingOptions, OpenAiOptions, StoreOptions};
use tokio::sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// How long a failed opening is remembered, so that an outage does not cost every request a connection attempt.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often a vector store that is not there yet is asked again by those who wait for it.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How long the start of a server waits for what is elsewhere and does not answer.
const PATIENCE_AT_START: Duration = Duration::from_secs(1);

/// The embedder and the collection it fills; cheap to clone.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    options: LibraryOptions,
    opened: std::sync::RwLock<Option<Arc<Opened>>>,
    last_failure: Mutex<Option<(Instant, Arc<Error>)>>,
    /// Shared by those who write documents, taken alone by one who puts another collection in the place of this one.
    writers: Arc<RwLock<()>>,
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

/// Both parts, while they are written to: no others take their place until this is dropped.
pub struct Writing {
    pub opened: Arc<Opened>,
    _turn: OwnedRwLockReadGuard<()>,
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
        Self(Arc::new(Inner {
            options,
            opened: Default::default(),
            last_failure: Mutex::new(None),
            writers: Arc::default(),
        }))
    }

    /// Where the vectors are kept.
    pub fn store(&self) -> &StoreOptions {
        &self.0.options.store
    }

    /// Where the vectors are, for people: `embedded` or `qdrant`.
    pub fn kind(&self) -> &'static str {
        if self.0.options.store.qdrant_url.is_some() { "qdrant" } else { "embedded" }
    }

    /// Tokens that the embedder reads at once, if it is open.
    pub fn max_tokens(&self) -> Option<usize> {
        self.opened().map(|opened| opened.embedder.max_tokens())
    }

    /// The embedder and the collection, opening them if that has not succeeded yet.
    pub async fn open(&self) -> Result<Arc<Opened>, Arc<Error>> {
        if let Some(opened) = self.opened() {
            return Ok(opened);
        }
        // One at a time: whoever waited here finds the result of the attempt before.
        let mut last_failure = self.0.last_failure.lock().await;
        if let Some(opened) = self.opened() {
            return Ok(opened);
        }
        if let Some((at, error)) = last_failure.as_ref()
            && at.elapsed() < RETRY_AFTER
        {
            return Err(Arc::clone(error));
        }
        match self.0.options.open().await {
            Ok(opened) => Ok(self.replace(opened)),
            Err(error) => {
                let error = Arc::new(error);
                *last_failure = Some((Instant::now(), Arc::clone(&error)));
                Err(error)
            }
        }
    }

    /// From now on these are the embedder and the collection; who is using others goes on with them.
    pub fn replace(&self, opened: Opened) -> Arc<Opened> {
        let opened = Arc::new(opened);
        *self.0.opened.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&opened));
        opened
    }

    fn opened(&self) -> Option<Arc<Opened>> {
        self.0.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// To be held while another collection takes the place of this one; waits for those who write.
    pub async fn replacing(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.0.writers).write_owned().await
    }

    /// Both parts, as soon as they can be opened, for one who writes documents and has nothing else to do; `failed` is
    /// told of each attempt that was in vain.
    pub async fn wait_to_write(&self, failed: impl Fn(&Arc<Error>)) -> Writing {
        self.wait_until_open(&failed).await;
        let turn = Arc::clone(&self.0.writers).read_owned().await;
        // Not those of before, which may have been replaced while others had their turn.
        Writing { opened: self.wait_until_open(failed).await, _turn: turn }
    }

    /// Both parts, as soon as they can be opened.
    pub async fn wait_until_open(&self, failed: impl Fn(&Arc<Error>)) -> Arc<Opened> {
        loop {
            match self.open().await {
                Ok(opened) => return opened,
                Err(error) => failed(&error),
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The opening when a server starts. An error is one that only a person can mend; what is down at the moment is
    /// opened as soon as it is back, and what is elsewhere and slow keeps nobody from starting.
    pub async fn open_at_start(&self) -> Result<(), Arc<Error>> {
        let library = self.clone();
        // A task of its own goes on when it is not waited for any longer.
        let opening = tokio::spawn(async move { library.open().await.map(drop) });
        let longest = if self.0.options.is_elsewhere() { PATIENCE_AT_START } else { Duration::MAX };
        let why_not = match tokio::time::timeout(longest, opening).await {
            Ok(opened) => match opened.expect("opening does not panic") {
                Ok(()) => return Ok(()),
                Err(error) if error.needs_a_person_before_start() => return Err(error),
                Err(error) => format!("{:#}", anyhow::Error::new(error)),
            },
            Err(_) => "no answer so far".to_owned(),
        };
        tracing::warn!(error = why_not, "documents cannot be searched yet");
        Ok(())
    }

    /// Both parts for one who only looks: nothing is made, and none is returned where there is no collection yet.
    pub async fn look(&self) -> Result<Option<Opened>, Error> {
        let options = &self.0.options;
        let embedder = options.embedder().await?;
        let collection = find_collection(&options.store, &embedder).await?;
        Ok(collection.map(|collection| Opened { embedder, collection }))
    }

    /// Whether documents can be searched right now.
    pub async fn check(&self) -> Result<(), Arc<Error>> {
        self.open().await?.check().await.map_err(Arc::new)
    }
}

impl Opened {
    pub async fn check(&self) -> Result<(), Error> {
        self.embedder.check().await?;
        Ok(self.collection.check().await?)
    }
}

impl LibraryOptions {
    async fn open(&self) -> Result<Opened, Error> {
        let embedder = self.embedder().await?;
        let collection = open_collection(&self.store, &embedder).await?;
        Ok(Opened { embedder, collection })
    }

    fn is_elsewhere(&self) -> bool {
        self.store.qdrant_url.is_some() || self.embedding.embedder == EmbedderKind::Openai
    }

    async fn embedder(&self) -> Result<Arc<Embedder>, Error> {
        match &self.embedder {
            Some(embedder) => Ok(Arc::clone(embedder)),
            None => Ok(Arc::new(Embedder::open(&self.embedding, &self.openai).await?)),
        }
    }
}
