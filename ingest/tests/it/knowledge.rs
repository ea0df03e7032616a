//! The real embedded engine and the real embedder.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use footnote_ingest::{Error, Event, IngestOptions, Report, ingest};
use footnote_knowledge::collection::{Chunk, Collection, Document, Filter};
use footnote_knowledge::embedding::{Embedder, LocalEmbedder};
use footnote_knowledge::vector_store::VectorStore;
use tempfile::TempDir;

/// A collection in a temporary folder.
pub(crate) struct Knowledge {
    pub(crate) collection: Collection,
    embedder: Embedder,
    _data: TempDir,
}

impl Knowledge {
    pub(crate) async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let embedder = Embedder::Local(LocalEmbedder::open().await.unwrap());
        let store = VectorStore::open_embedded(&data.path().join("vectors")).await.unwrap();
        let collection = Collection::open(store, "documents", &embedder.identity()).await.unwrap();
        Self { collection, embedder, _data: data }
    }

    /// Ingests one folder or file, which must succeed.
    pub(crate) async fn ingest(&self, path: &Path) -> Report {
        self.ingest_with(&[path], &IngestOptions::default()).await.unwrap()
    }

    pub(crate) async fn ingest_with(&self, paths: &[&Path], options: &IngestOptions) -> Result<Report, Error> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
        ingest(&paths, &self.collection, &self.embedder, options, |_| {}).await
    }

    pub(crate) async fn ingest_and_watch(&self, path: &Path) -> (Report, Vec<Event>) {
        let events = Mutex::new(Vec::new());
        let watch = |event| events.lock().unwrap().push(event);
        let options = IngestOptions::default();
        let report = ingest(&[path.to_owned()], &self.collection, &self.embedder, &options, watch).await.unwrap();
        (report, events.into_inner().unwrap())
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
