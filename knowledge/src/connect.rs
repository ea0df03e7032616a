//! From command-line options to an open embedder and collection: the same for the server and for `ingest`.

use std::path::Path;

use crate::collection::{self, Collection};
use crate::embedding::{self, Embedder};
use crate::options::{EmbedderKind, EmbeddingOptions, OpenAiOptions, StoreOptions};
use crate::vector_store::VectorStore;

/// Where the embedded engine keeps its files, below the data folder.
const VECTORS_FOLDER: &str = "vectors";

/// The embedder that the options ask for. A remote one is called once, to learn its dimension.
pub async fn open_embedder(embedding: &EmbeddingOptions, openai: &OpenAiOptions) -> Result<Embedder, embedding::Error> {
    Embedder::open(embedding, openai).await
}

/// The collection of the options' name in the Qdrant server, or in the engine in this process if no server is given. It
/// is made if there is none.
pub async fn open_collection(store: &StoreOptions, embedder: &Embedder) -> Result<Collection, collection::Error> {
    let vectors = match &store.qdrant_url {
        Some(url) => VectorStore::connect(url, store.qdrant_api_key.as_ref()).await?,
        None => VectorStore::open_embedded(&store.data_dir.join(Path::new(VECTORS_FOLDER))).await?,
    };
    Collection::open(vectors, &store.collection, &embedder.identity()).await
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
