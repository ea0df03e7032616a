//! Another embedder: a collection is built anew beside the one that its name stands for, and then takes its place. Its texts
//! come from the old one, so that no file is needed.
//!
//! The new one remembers which it took the place of until that is dropped, so that whoever is killed in between leaves
//! nothing behind for good: a sweep drops it.

use std::time::Duration;

use jiff::Timestamp;

use super::document::{Document, EmbeddedChunk, NewChunk, NewDocument};
use super::error::Error;
use super::payload::Predecessor;
use super::sweep::{earlier, later};
use super::{Collection, Inner, RESOLVE_AGAIN_AFTER, names, payload, stored_name};
use crate::embedding::EmbeddingIdentity;
use crate::vector_store::{Fields, Filter, VectorStore};

/// A write that began in time is done after that.
const LONGEST_WRITE: Duration = Duration::from_secs(5);

/// What others wrote into the old one may still be on its way into the new one.
const UNFINISHED_STAYS: Duration = Duration::from_secs(3600);

/// There is hardly ever more than one.
const PREDECESSORS: usize = 10;

/// Both collections, while both are there.
#[derive(Debug)]
pub struct Rebuild {
    pub old: Collection,
    pub new: Collection,
}

impl Rebuild {
    /// How long the old one stays after the switch: other servers find out within 10 s what a name stands for, and may be
    /// in the middle of a search then.
    pub const OLD_STAYS: Duration = Duration::from_secs(60);

    /// None if there is nothing to build from, or it was made with this embedder. A collection that an earlier attempt
    /// left half-built is gone on with.
    pub async fn begin(store: VectorStore, name: &str, embedding: &EmbeddingIdentity) -> Result<Option<Self>, Error> {
        names::check(name)?;
        let (found, wanted) = (store.resolve_alias(name).await?, stored_name(name, embedding));
        let Some(found) = found.filter(|found| *found != wanted) else { return Ok(None) };
        let pinned = true;
        let old = Collection::new(store.clone(), name, found, embedding.dimension, pinned);
        // What was replaced by the old one and is wanted again must not be dropped.
        old.forget_predecessor(&wanted).await?;
        store.ensure_collection(&wanted, &payload::schema(embedding.dimension)).await?;
        let new = Collection::new(store, name, wanted, embedding.dimension, pinned);
        Ok(Some(Self { old, new }))
    }

    /// From here on the name stands for the new one. The old one stays until [`Rebuild::finish`], or for an hour if that
    /// never comes.
    pub async fn switch(&self) -> Result<(), Error> {
        let Inner { store, name, stored, .. } = &*self.new.inner;
        for Predecessor { collection, replaced_at } in self.old.predecessors().await? {
            self.remember(&collection, replaced_at).await?;
        }
        self.remember(&self.old.inner.stored, later(payload::now(), UNFINISHED_STAYS)).await?;
        Ok(store.switch_alias(name, stored).await?)
    }

    /// Nothing more is needed of the old one: it may be dropped after [`Rebuild::OLD_STAYS`].
    pub async fn finish(&self) -> Result<(), Error> {
        self.remember(&self.old.inner.stored, payload::now()).await
    }

    async fn remember(&self, predecessor: &str, replaced_at: Timestamp) -> Result<(), Error> {
        let Inner { store, name, stored, .. } = &*self.new.inner;
        let id = names::predecessor_id(name, predecessor);
        Ok(store.upsert(stored, vec![payload::predecessor_point(id, predecessor, replaced_at)]).await?)
    }

    /// Whether the name stands for the new one.
    pub async fn is_in_place(&self) -> Result<bool, Error> {
        let Inner { store, name, stored, .. } = &*self.new.inner;
        Ok(store.resolve_alias(name).await?.as_ref() == Some(stored))
    }

    /// The new one, to be used after the switch for as long as the name stands for it.
    pub fn replacement(&self) -> Collection {
        let Inner { store, name, stored, dimension, .. } = &*self.new.inner;
        Collection::new(store.clone(), name, stored.clone(), *dimension, false)
    }

    /// How long after the switch others may still write into the old one.
    pub fn others_know_after(&self) -> Duration {
        if self.new.inner.store.is_shared() { RESOLVE_AGAIN_AFTER + LONGEST_WRITE } else { Duration::ZERO }
    }

    /// For one who knows that nobody uses it any more; otherwise a sweep does so in time.
    pub async fn drop_old(&self) -> Result<(), Error> {
        self.new.drop_predecessor(&self.old.inner.stored).await
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

    /// Drops the collections that this one took the place of, when nobody can be using them any more.
    pub(super) async fn drop_predecessors(&self, now: Timestamp) -> Result<(), Error> {
        let (store, stored) = (&self.inner.store, self.stored().await?);
        for Predecessor { collection, replaced_at } in self.predecessors().await? {
            let is_due = replaced_at <= earlier(now, Rebuild::OLD_STAYS);
            // What was said of the name some seconds ago is not enough to delete for.
            if is_due && store.resolve_alias(self.name()).await?.as_deref() == Some(stored) {
                self.drop_predecessor(&collection).await?;
            }
        }
        Ok(())
    }

    async fn predecessors(&self) -> Result<Vec<Predecessor>, Error> {
        let predecessors = Filter::all([payload::our_tenant(), payload::is_predecessor()]);
        let (store, stored) = (&self.inner.store, self.stored().await?);
        let page = store.scroll(stored, &predecessors, None, PREDECESSORS, Fields::All).await?;
        page.points.into_iter().map(payload::read_predecessor).collect()
    }

    async fn drop_predecessor(&self, predecessor: &str) -> Result<(), Error> {
        self.inner.store.delete_collection(predecessor).await?;
        self.forget_predecessor(predecessor).await
    }

    async fn forget_predecessor(&self, predecessor: &str) -> Result<(), Error> {
        let id = names::predecessor_id(self.name(), predecessor);
        Ok(self.inner.store.delete_points(&self.inner.stored, &[id]).await?)
    }
}
