//! The real embedded engine and the real embedder.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use footnote_ingest::{Error, Event, GoneDocuments, IngestOptions, Report, Stopped, ingest};
use footnote_knowledge::collection::{Chunk, Collection, Document, Filter};
use footnote_knowledge::embedding::{Embedder, LocalEmbedder};
use footnote_knowledge::vector_store::VectorStore;
use tempfile::TempDir;

/// A collection in a temporary folder.
pub(crate) struct Knowledge {
    pub(crate) collection: Collection,
    embedder: Embedder,
    data: TempDir,
}

impl Knowledge {
    pub(crate) async fn new() -> Self {
        Self::with_embedder(Embedder::Local(LocalEmbedder::open().await.unwrap())).await
    }

    pub(crate) async fn with_embedder(embedder: Embedder) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = VectorStore::open_embedded(&data.path().join("vectors")).await.unwrap();
        let collection = Collection::open(store, "documents", &embedder.identity()).await.unwrap();
        Self { collection, embedder, data }
    }

    /// The folder of the engine.
    pub(crate) fn vectors(&self) -> PathBuf {
        self.data.path().join("vectors")
    }

    /// Ingests one folder or file, which must succeed.
    pub(crate) async fn ingest(&self, path: &Path) -> Report {
        self.ingest_with(&[path], &IngestOptions::default()).await.unwrap()
    }

    pub(crate) async fn ingest_with(&self, paths: &[&Path], options: &IngestOptions) -> Result<Report, Error> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
        ingest(&paths, &self.collection, &self.embedder, options, &|_| {}).await.map_err(|stopped| stopped.error)
    }

    /// What a run did until it stopped, and why.
    pub(crate) async fn ingest_until_it_stops(&self, path: &Path, watch: impl Fn(Event) + Send + Sync) -> Stopped {
        let options = IngestOptions { longest_outage: Duration::from_millis(10), ..IngestOptions::default() };
        *ingest(&[path.to_owned()], &self.collection, &self.embedder, &options, &watch).await.unwrap_err()
    }

    pub(crate) async fn ingest_and_watch(&self, path: &Path) -> (Report, Vec<Event>) {
        self.watch(path, IngestOptions::default()).await
    }

    async fn watch(&self, path: &Path, options: IngestOptions) -> (Report, Vec<Event>) {
        let events = Mutex::new(Vec::new());
        let watch = |event| events.lock().unwrap().push(event);
        let report = ingest(&[path.to_owned()], &self.collection, &self.embedder, &options, &watch).await.unwrap();
        (report, events.into_inner().unwrap())
    }

    /// Ingests and removes what is gone.
    pub(crate) async fn prune(&self, path: &Path) -> (Report, Vec<Event>) {
        self.watch(path, IngestOptions { gone: GoneDocuments::Remove, ..IngestOptions::default() }).await
    }

    /// The vectors of a document's chunks, in order.
    pub(crate) async fn vectors_of(&self, source: &str) -> Vec<Vec<f32>> {
        let chunks = self.collection.embedded_chunks(self.collection.document_id(source)).await.unwrap();
        chunks.into_iter().map(|chunk| chunk.vector).collect()
    }

    /// All documents, by source.
    pub(crate) async fn documents(&self) -> Vec<Document> {
        let page = self.collection.documents(&Filter::default(), None, 1000).await.unwrap();
        let mut documents = page.items;
        documents.sort_by(|one, other| one.source.cmp(&other.source));
        documents
    }

    pub(crate) async fn sources(&self) -> Vec<String> {
        self.documents().await.into_iter().map(|document| document.source).collect()
    }

    pub(crate) async fn chunks(&self, source: &str) -> Vec<Chunk> {
        self.collection.chunks(self.collection.document_id(source)).await.unwrap()
    }

    /// The extracted text, put together from the chunks.
    pub(crate) async fn text(&self, source: &str) -> String {
        self.chunks(source).await.into_iter().map(|chunk| chunk.text).collect()
    }
}
