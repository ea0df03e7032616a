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

use futures::future::{BoxFuture, FutureExt, TryFutureExt, ready};
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

/// A call on its way. A box, since the code of an `async fn` is compiled by each crate that awaits it: a program, and
/// every binary of tests, would compile the engine and the client again.
pub type Call<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// Delegates to whichever backend this is; both have the same methods.
macro_rules! delegate {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match $store {
            VectorStore::Embedded(store) => store.$method($($argument),*).boxed(),
            VectorStore::Qdrant(store) => store.$method($($argument),*).boxed(),
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
    pub fn check(&self) -> Call<'_, ()> {
        delegate!(self, check())
    }

    /// Creates an empty collection, or adds payload indexes that one of an earlier release lacks.
    pub fn ensure_collection<'a>(&'a self, collection: &'a str, schema: &'a CollectionSchema) -> Call<'a, ()> {
        delegate!(self, ensure_collection(collection, schema))
    }

    pub fn collection_exists<'a>(&'a self, collection: &'a str) -> Call<'a, bool> {
        delegate!(self, collection_exists(collection))
    }

    /// Deletes a collection with all its points; false when there was none.
    pub fn delete_collection<'a>(&'a self, collection: &'a str) -> Call<'a, bool> {
        delegate!(self, delete_collection(collection))
    }

    /// The collection that `alias` stands for.
    pub fn resolve_alias<'a>(&'a self, alias: &'a str) -> Call<'a, Option<String>> {
        delegate!(self, resolve_alias(alias))
    }

    /// Makes `alias` stand for `collection` in one step: nobody sees it absent in between.
    pub fn switch_alias<'a>(&'a self, alias: &'a str, collection: &'a str) -> Call<'a, ()> {
        delegate!(self, switch_alias(alias, collection))
    }

    /// Writes points whole, replacing those of the same id. On return they are durable.
    pub fn upsert<'a>(&'a self, collection: &'a str, points: Vec<Point>) -> Call<'a, ()> {
        delegate!(self, upsert(collection, points))
    }

    pub fn delete_points<'a>(&'a self, collection: &'a str, ids: &'a [Uuid]) -> Call<'a, ()> {
        delegate!(self, delete_points(collection, ids))
    }

    pub fn delete_matching<'a>(&'a self, collection: &'a str, filter: &'a Filter) -> Call<'a, ()> {
        delegate!(self, delete_matching(collection, filter))
    }

    /// Several rankings of one collection in one round trip, each best first.
    pub fn rank<'a>(&'a self, collection: &'a str, queries: Vec<RankingQuery<'a>>) -> Call<'a, Vec<Vec<ScoredPoint>>> {
        delegate!(self, rank(collection, queries))
    }

    /// The points with these ids that exist, in any order.
    pub fn retrieve<'a>(
        &'a self,
        collection: &'a str,
        ids: &'a [Uuid],
        fields: Fields<'a>,
    ) -> Call<'a, Vec<StoredPoint>> {
        delegate!(self, retrieve(collection, ids, fields))
    }

    /// The dense vectors of those of these points that have one, at unit length.
    pub fn dense_vectors<'a>(&'a self, collection: &'a str, ids: &'a [Uuid]) -> Call<'a, HashMap<Uuid, Vec<f32>>> {
        delegate!(self, dense_vectors(collection, ids))
    }

    /// Up to `limit` matching points in the order of their ids, beginning with id `from`.
    pub fn scroll<'a>(
        &'a self,
        collection: &'a str,
        filter: &'a Filter,
        from: Option<Uuid>,
        limit: usize,
        fields: Fields<'a>,
    ) -> Call<'a, ScrollPage> {
        delegate!(self, scroll(collection, filter, from, limit, fields))
    }

    /// Exactly how many points match.
    pub fn count<'a>(&'a self, collection: &'a str, filter: &'a Filter) -> Call<'a, usize> {
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
    pub fn log_bytes(&self) -> Call<'_, Option<u64>> {
        match self {
            Self::Embedded(store) => store.log_bytes().map_ok(Some).boxed(),
            Self::Qdrant(_) => ready(Ok(None)).boxed(),
        }
    }

    /// Reclaims the space of deleted points where the engine does not do so by itself. Writes wait meanwhile.
    pub fn compact<'a>(&'a self, collection: &'a str) -> Call<'a, ()> {
        match self {
            Self::Embedded(store) => store.compact(collection).boxed(),
            Self::Qdrant(_) => ready(Ok(())).boxed(),
        }
    }

    /// Until [`VectorStore::resume_indexing`] a Qdrant server builds no HNSW index over vectors that come. The embedded
    /// engine never builds one.
    pub fn defer_indexing<'a>(&'a self, collection: &'a str) -> Call<'a, ()> {
        match self {
            Self::Embedded(_) => ready(Ok(())).boxed(),
            Self::Qdrant(store) => store.defer_indexing(collection).boxed(),
        }
    }

    /// Ends what [`VectorStore::defer_indexing`] began, whoever that was; the server then indexes what is there.
    pub fn resume_indexing<'a>(&'a self, collection: &'a str) -> Call<'a, ()> {
        match self {
            Self::Embedded(_) => ready(Ok(())).boxed(),
            Self::Qdrant(store) => store.resume_indexing(collection).boxed(),
        }
    }

    pub fn is_indexing_deferred<'a>(&'a self, collection: &'a str) -> Call<'a, bool> {
        match self {
            Self::Embedded(_) => ready(Ok(false)).boxed(),
            Self::Qdrant(store) => store.is_indexing_deferred(collection).boxed(),
        }
    }

    /// Writes what is pending and lets go of the folder; later calls fail.
    pub fn close(&self) -> Call<'_, ()> {
        match self {
            Self::Embedded(store) => store.close().boxed(),
            Self::Qdrant(_) => ready(Ok(())).boxed(),
        }
    }
}

/// The string at `field`, if it is one.
pub(crate) fn text_field<'a>(payload: &'a Payload, field: &str) -> Option<&'a str> {
    payload.get(field).and_then(Value::as_str)
}
