//! Stores to test on, and documents to put into them.

use footnote_knowledge::collection::{
    Collection, Filter, NewChunk, NewDocument, SearchMode, SearchQuery, SearchResult, Selection,
};
use footnote_knowledge::embedding::EmbeddingIdentity;
use footnote_knowledge::vector_store::VectorStore;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const DIMENSION: usize = 32;

/// Runs each test on every store.
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::fixture::TestStore::embedded().await).await;
            })+
        }
        mod qdrant {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let Some(store) = $crate::fixture::TestStore::qdrant().await else {
                    eprintln!("skipped: QDRANT_URL is not set");
                    return;
                };
                super::$test(store).await;
            })+
        }
    };
}
pub(crate) use on_every_store;

/// A store of one test's own, cleared up when it ends.
pub(crate) struct TestStore {
    pub(crate) store: VectorStore,
    pub(crate) name: String,
    pub(crate) place: Place,
}

pub(crate) enum Place {
    Folder(TempDir),
    Server(String),
}

impl TestStore {
    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = VectorStore::open_embedded(folder.path()).await.unwrap();
        Self { store, name: "documents".to_owned(), place: Place::Folder(folder) }
    }

    pub(crate) async fn qdrant() -> Option<Self> {
        let url = std::env::var("QDRANT_URL").ok().filter(|url| !url.is_empty())?;
        let store = connect(&url).await;
        Some(Self { store, name: format!("test-{}", Uuid::new_v4().simple()), place: Place::Server(url) })
    }

    pub(crate) async fn collection(&self) -> Collection {
        Collection::open(self.store.clone(), &self.name, &identity()).await.unwrap()
    }

    /// As after a restart of the process.
    pub(crate) async fn reopen(&mut self) {
        self.store.close().await.unwrap();
        self.store = match &self.place {
            Place::Folder(folder) => VectorStore::open_embedded(folder.path()).await.unwrap(),
            Place::Server(url) => connect(url).await,
        };
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        if let Place::Server(url) = &self.place {
            let (url, name) = (url.clone(), self.name.clone());
            let clear = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let store = connect(&url).await;
                    while let Ok(Some(stored)) = store.resolve_alias(&name).await {
                        store.delete_collection(&stored).await.unwrap();
                    }
                    store.delete_collection(&name).await.unwrap();
                });
            };
            std::thread::spawn(clear).join().unwrap();
        }
    }
}

async fn connect(url: &str) -> VectorStore {
    VectorStore::connect(url, None).await.unwrap()
}

pub(crate) fn identity() -> EmbeddingIdentity {
    EmbeddingIdentity { model: "test".to_owned(), dimension: DIMENSION, pooling: "sum".to_owned() }
}

/// A bag of words: texts that share words are near each other.
pub(crate) fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.01_f32; DIMENSION];
    for word in text.to_lowercase().split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word.bytes().fold(17_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        vector[hash % DIMENSION] += 1.0;
    }
    vector
}

/// A document with these chunks; its version is made from them.
pub(crate) fn document(source: &str, chunks: &[&str]) -> NewDocument {
    let mut start = 0;
    let chunk = |text: &&str| {
        let end = start + text.chars().count();
        let chunk =
            NewChunk { heading: None, page: None, start, end, text: (*text).to_owned(), embedding: embed(text) };
        start = end;
        chunk
    };
    NewDocument {
        source: source.to_owned(),
        title: String::new(),
        content_hash: Uuid::new_v5(&Uuid::nil(), chunks.concat().as_bytes()).to_string(),
        version: Uuid::new_v5(&Uuid::nil(), chunks.join("\0").as_bytes()).to_string(),
        tags: Vec::new(),
        metadata: Default::default(),
        chunks: chunks.iter().map(chunk).collect(),
    }
}

pub(crate) async fn search(collection: &Collection, text: &str) -> SearchResult {
    search_by(collection, text, SearchMode::Hybrid, &Filter::default(), 10).await
}

pub(crate) async fn search_by(
    collection: &Collection,
    text: &str,
    mode: SearchMode,
    filter: &Filter,
    limit: usize,
) -> SearchResult {
    let embedding = embed(text);
    let selection = Selection::default();
    let query = SearchQuery { text, embedding: &embedding, context: &[], filter, limit, mode, selection };
    collection.search(query).await.unwrap()
}

pub(crate) async fn select(collection: &Collection, text: &str, limit: usize, selection: Selection) -> SearchResult {
    let (embedding, filter) = (embed(text), Filter::default());
    let mode = SearchMode::Hybrid;
    let query = SearchQuery { text, embedding: &embedding, context: &[], filter: &filter, limit, mode, selection };
    collection.search(query).await.unwrap()
}

pub(crate) fn texts(result: &SearchResult) -> Vec<&str> {
    result.hits.iter().map(|hit| hit.chunk.text.as_str()).collect()
}
