//! Another embedder: a collection is built anew beside the one that its name stands for, and then takes its place. Its texts
//! come from the old one, so that no file is needed.

use std::time::Duration;

use super::document::{Document, EmbeddedChunk, NewChunk, NewDocument};
use super::error::Error;
use super::{Collection, names, payload, stored_name};
use crate::embedding::EmbeddingIdentity;
use crate::vector_store::VectorStore;

/// Both collections, while both are there.
#[derive(Debug)]
pub struct Rebuild {
    pub old: Collection,
    pub new: Collection,
}

impl Rebuild {
    /// Other servers find out within 10 s what a name stands for, and may be in the middle of a search then.
    pub const OLD_STAYS: Duration = Duration::from_secs(60);

    /// None if there is nothing to build from, or it was made with this embedder. A collection that an earlier attempt
    /// left half-built is gone on with.
    pub async fn begin(store: VectorStore, name: &str, embedding: &EmbeddingIdentity) -> Result<Option<Self>, Error> {
        names::check(name)?;
        let (found, wanted) = (store.resolve_alias(name).await?, stored_name(name, embedding));
        let Some(found) = found.filter(|found| *found != wanted) else { return Ok(None) };
        store.ensure_collection(&wanted, &payload::schema(embedding.dimension)).await?;
        let pinned = true;
        let old = Collection::new(store.clone(), name, found, embedding.dimension, pinned);
        let new = Collection::new(store, name, wanted, embedding.dimension, pinned);
        Ok(Some(Self { old, new }))
    }

    /// From here on the name stands for the new one.
    pub async fn switch(&self) -> Result<(), Error> {
        Ok(self.new.inner.store.switch_alias(&self.new.inner.name, &self.new.inner.stored).await?)
    }

    pub async fn drop_old(&self) -> Result<(), Error> {
        self.old.inner.store.delete_collection(&self.old.inner.stored).await?;
        Ok(())
    }
}

impl Collection {
    /// The document as it would be written again, with these vectors, which are those of its chunks in order.
    pub fn rewritten(document: Document, chunks: Vec<EmbeddedChunk>) -> NewDocument {
        let Document { source, title, content_hash, version, tags, metadata, .. } = document;
        let chunk = |EmbeddedChunk { chunk, vector }: EmbeddedChunk| NewChunk {
            heading: chunk.heading,
            page: chunk.page,
            start: chunk.start,
            end: chunk.end,
            text: chunk.text,
            embedding: vector,
        };
        let chunks = chunks.into_iter().map(chunk).collect();
        NewDocument { source, title, content_hash, version, tags, metadata, chunks }
    }
}
