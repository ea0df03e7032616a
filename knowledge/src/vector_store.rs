//! Where vectors live: the Qdrant engine in this process, or a Qdrant server or cluster. Both keep points with one dense
//! and one sparse vector, rank by either, filter, and count. The same points give the same rankings on both while the
//! server has them in one shard and searches exactly, which it does up to 200,000 points; and up to the order of equal
//! scores where a ranking is cut off.
//!
//! Knows nothing of documents, versions or fusion: those are in [`crate::collection`]. The engine's crate is named in
//! `embedded*` and `bm25`, the client's in `qdrant*`, nowhere else.

mod bm25;
mod embedded;
mod error;
mod point;
mod qdrant;

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use uuid::Uuid;

pub use bm25::Bm25;
pub use embedded::{ENGINE_LOG_TARGET, EmbeddedStore};
pub use error::Error;
pub use point::{
    CollectionSchema, Condition, FieldKind, Fields, Filter, Payload, Point, RankingQuery, RankingVector, ScoredPoint,
    ScrollPage, SparseVector, StoredPoint,
};
pub use qdrant::QdrantStore;

use crate::secret::Secret;

/// A closed set of backends; cheap to clone, all clones share one engine or one pool of connections.
#[derive(Debug, Clone)]
pub enum VectorStore {
    Embedded(EmbeddedStore),
    Qdrant(QdrantStore),
}

/// Delegates to whichever backend this is; both have the same methods.
macro_rules! delegate {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match $store {
            VectorStore::Embedded(store) => store.$method($($argument),*).await,
            VectorStore::Qdrant(store) => store.$method($($argument),*).await,
        }
    };
}

impl VectorStore {
    /// Opens the engine in this process on `folder`, which is made if it is not there. Only one process at a time can:
    /// the second gets [`Error::InUse`].
    pub async fn open_embedded(folder: &Path) -> Result<Self, Error> {
        EmbeddedStore::open(folder).await.map(Self::Embedded)
    }

    /// A client of the Qdrant server at `url` (gRPC). Connects on first use and again after every interruption, so a
    /// server that is down makes calls fail with [`Error::Unavailable`] until it is back, and this succeed.
    pub async fn connect(url: &str, api_key: Option<&Secret>) -> Result<Self, Error> {
        QdrantStore::connect(url, api_key).map(Self::Qdrant)
    }

    pub fn backend(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Qdrant(_) => "qdrant",
        }
    }

    /// Whether the store answers now.
    pub async fn check(&self) -> Result<(), Error> {
        delegate!(self, check())
    }

    /// Creates an empty collection, or adds payload indexes that one of an earlier release lacks.
    pub async fn ensure_collection(&self, collection: &str, schema: &CollectionSchema) -> Result<(), Error> {
        delegate!(self, ensure_collection(collection, schema))
    }

    pub async fn collection_exists(&self, collection: &str) -> Result<bool, Error> {
        delegate!(self, collection_exists(collection))
    }

    /// Deletes a collection with all its points; false when there was none.
    pub async fn delete_collection(&self, collection: &str) -> Result<bool, Error> {
        delegate!(self, delete_collection(collection))
    }

    /// The collection that `alias` stands for.
    pub async fn resolve_alias(&self, alias: &str) -> Result<Option<String>, Error> {
        delegate!(self, resolve_alias(alias))
    }

    /// Makes `alias` stand for `collection` in one step: nobody sees it absent in between.
    pub async fn switch_alias(&self, alias: &str, collection: &str) -> Result<(), Error> {
        delegate!(self, switch_alias(alias, collection))
    }

    /// Writes points whole, replacing those of the same id. On return they are durable.
    pub async fn upsert(&self, collection: &str, points: Vec<Point>) -> Result<(), Error> {
        delegate!(self, upsert(collection, points))
    }

    pub async fn delete_points(&self, collection: &str, ids: &[Uuid]) -> Result<(), Error> {
        delegate!(self, delete_points(collection, ids))
    }

    pub async fn delete_matching(&self, collection: &str, filter: &Filter) -> Result<(), Error> {
        delegate!(self, delete_matching(collection, filter))
    }

    /// Several rankings of one collection in one round trip, each best first.
    pub async fn rank(&self, collection: &str, queries: Vec<RankingQuery<'_>>) -> Result<Vec<Vec<ScoredPoint>>, Error> {
        delegate!(self, rank(collection, queries))
    }

    /// The points with these ids that exist, in any order.
    pub async fn retrieve(
        &self,
        collection: &str,
        ids: &[Uuid],
        fields: Fields<'_>,
    ) -> Result<Vec<StoredPoint>, Error> {
        delegate!(self, retrieve(collection, ids, fields))
    }

    /// The dense vectors of those of these points that have one, at unit length.
    pub async fn dense_vectors(&self, collection: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, Error> {
        delegate!(self, dense_vectors(collection, ids))
    }

    /// Up to `limit` matching points in the order of their ids, beginning with id `from`.
    pub async fn scroll(
        &self,
        collection: &str,
        filter: &Filter,
        from: Option<Uuid>,
        limit: usize,
        fields: Fields<'_>,
    ) -> Result<ScrollPage, Error> {
        delegate!(self, scroll(collection, filter, from, limit, fields))
    }

    /// Exactly how many points match.
    pub async fn count(&self, collection: &str, filter: &Filter) -> Result<usize, Error> {
        delegate!(self, count(collection, filter))
    }

    /// Whether other processes may write into it.
    pub(crate) fn is_shared(&self) -> bool {
        match self {
            Self::Embedded(_) => false,
            Self::Qdrant(_) => true,
        }
    }

    /// Bytes of the embedded engine's write-ahead logs, of which it only shortens those it opens; none for a server,
    /// which looks after its own.
    pub async fn log_bytes(&self) -> Result<Option<u64>, Error> {
        match self {
            Self::Embedded(store) => store.log_bytes().await.map(Some),
            Self::Qdrant(_) => Ok(None),
        }
    }

    /// Reclaims the space of deleted points where the engine does not do so by itself. Writes wait meanwhile.
    pub async fn compact(&self, collection: &str) -> Result<(), Error> {
        match self {
            Self::Embedded(store) => store.compact(collection).await,
            Self::Qdrant(_) => Ok(()),
        }
    }

    /// Until [`VectorStore::resume_indexing`] a Qdrant server builds no HNSW index over vectors that come. The embedded
    /// engine never builds one.
    pub async fn defer_indexing(&self, collection: &str) -> Result<(), Error> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Qdrant(store) => store.defer_indexing(collection).await,
        }
    }

    /// Ends what [`VectorStore::defer_indexing`] began, whoever that was; the server then indexes what is there.
    pub async fn resume_indexing(&self, collection: &str) -> Result<(), Error> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Qdrant(store) => store.resume_indexing(collection).await,
        }
    }

    pub async fn is_indexing_deferred(&self, collection: &str) -> Result<bool, Error> {
        match self {
            Self::Embedded(_) => Ok(false),
            Self::Qdrant(store) => store.is_indexing_deferred(collection).await,
        }
    }

    /// Writes what is pending and lets go of the folder; later calls fail.
    pub async fn close(&self) -> Result<(), Error> {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Qdrant(_) => Ok(()),
        }
    }
}

/// The string at `field`, if it is one.
pub(crate) fn text_field<'a>(payload: &'a Payload, field: &str) -> Option<&'a str> {
    payload.get(field).and_then(Value::as_str)
}
