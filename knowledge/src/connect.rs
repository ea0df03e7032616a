//! Opens a collection as the command line asks for it: the one place for both binaries.

use crate::collection::{self, Collection};
use crate::embedding::EmbeddingIdentity;
use crate::options::StoreOptions;
use crate::vector_store::VectorStore;

/// The collection on the Qdrant server that is named, else on the embedded engine under the data folder.
pub async fn open_collection(
    options: &StoreOptions,
    embedding: &EmbeddingIdentity,
) -> Result<Collection, collection::Error> {
    let store = match &options.qdrant_url {
        Some(url) => VectorStore::connect(url, options.qdrant_api_key.as_ref()).await?,
        None => VectorStore::open_embedded(&options.data_dir.join("vectors")).await?,
    };
    Collection::open(store, &options.collection, embedding).await
}
