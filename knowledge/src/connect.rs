//! From command-line options to an open collection: the same for the server and for `ingest`.

use std::path::Path;

use crate::collection::{self, Collection};
use crate::data_folder;
use crate::embedding::Embedder;
use crate::options::{EmbedderKind, EmbeddingOptions, OpenAiOptions, StoreOptions};
use crate::vector_store::{self, VectorStore};

/// Where the embedded engine keeps its files, below the data folder.
const VECTORS_FOLDER: &str = "vectors";

/// The collection of the options' name in the Qdrant server, or in the engine in this process if no server is given. It
/// is made if there is none.
pub async fn open_collection(store: &StoreOptions, embedder: &Embedder) -> Result<Collection, collection::Error> {
    Collection::open(open_vectors(store).await?, &store.collection, &embedder.identity()).await
}

/// The same collection, if there is one; nothing is made, not even the folder for it.
pub async fn find_collection(
    store: &StoreOptions,
    embedder: &Embedder,
) -> Result<Option<Collection>, collection::Error> {
    if store.qdrant_url.is_none() && !store.data_dir.join(VECTORS_FOLDER).is_dir() {
        return Ok(None);
    }
    Collection::find(open_vectors(store).await?, &store.collection, &embedder.identity()).await
}

/// The store alone, whatever collections are in it.
pub async fn open_vectors(store: &StoreOptions) -> Result<VectorStore, vector_store::Error> {
    match &store.qdrant_url {
        Some(url) => VectorStore::connect(url, store.qdrant_api_key.as_ref()).await,
        None => {
            make_data_folder(&store.data_dir).await?;
            VectorStore::open_embedded(&store.data_dir.join(VECTORS_FOLDER)).await
        }
    }
}

async fn make_data_folder(folder: &Path) -> Result<(), vector_store::Error> {
    let path = folder.to_owned();
    let made =
        tokio::task::spawn_blocking(move || data_folder::make(&path)).await.expect("making a folder does not panic");
    made.map_err(|source| vector_store::Error::Io { path: folder.to_owned(), source })
}

/// Who is sent text of documents under these options, a line each, for a person to read at the start. Empty when all
/// of it stays in this process.
pub fn text_receivers(store: &StoreOptions, embedding: &EmbeddingOptions, openai: &OpenAiOptions) -> Vec<String> {
    let embedder = match embedding.embedder {
        EmbedderKind::Local => None,
        EmbedderKind::Openai => {
            let proxy =
                openai.openai_proxy.as_ref().map(|proxy| format!(" through the proxy {}", host(proxy.expose())));
            Some(format!("text to embed is sent to {}{}", host(openai.base_url()), proxy.unwrap_or_default()))
        }
    };
    let vectors = store.qdrant_url.as_deref().map(|url| format!("passages are stored at {}", host(url)));
    embedder.into_iter().chain(vectors).collect()
}

/// Host and port of a URL, never the credentials that may stand before them.
fn host(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(url) => match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => "an address without a host".to_owned(),
        },
        Err(_) => "an address that is no URL".to_owned(),
    }
}
