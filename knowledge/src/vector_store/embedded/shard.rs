//! One collection of the embedded engine: reads in the blocking pool, writes through the writer thread.

use std::fs;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use qdrant_edge::{
    EdgeConfig, EdgeOptimizersConfig, EdgeShard, EdgeSparseVectorParams, EdgeVectorParams, HnswIndexConfig, PointId,
    ScrollRequest, UpdateOperation, WalOptions,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::super::error::Error;
use super::super::point::{
    CollectionSchema, Fields, Filter, Point, RankingQuery, ScoredPoint, ScrollPage, StoredPoint,
};
use super::writer::{Work, Writer};
use super::{convert, leftovers, sync_folder};

pub(super) const DENSE: &str = "dense";
pub(super) const SPARSE: &str = "bm25";

/// Points per operation. The engine lets readers in between operations, not within one of its 32-point steps; and an
/// operation has to fit the log.
const POINTS_PER_OPERATION: usize = 64;

/// How many are listed at once when they are counted.
const POINTS_PER_PAGE: usize = 10_000;

/// Vectors of a segment from which compacting pays: about 3,000 chunks.
const COMPACT_FROM_KB: usize = 5_000;

/// Above so many segments the engine merges them: few merges of much, at some cost to each search.
const SEGMENTS: usize = 6;

/// A log part is allocated at this size, and there are always two.
const LOG_PART_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Shard {
    /// Taken out when the collection is closed; the write lock waits for its readers.
    engine: Arc<RwLock<Option<EdgeShard>>>,
    writer: Writer,
    /// More searches at once than cores only take turns.
    readers: Arc<Semaphore>,
    dimension: usize,
}

impl Shard {
    /// Makes an empty collection at `path` by way of `unfinished`: it is there whole or not at all.
    pub(super) fn create(path: &Path, unfinished: &Path, schema: &CollectionSchema) -> Result<(), Error> {
        let io = |source| Error::Io { path: unfinished.to_owned(), source };
        fs::create_dir(unfinished).map_err(io)?;
        let engine = EdgeShard::new(unfinished, config(schema))
            .map_err(|error| Error::engine("the collection could not be made", error))?;
        for operation in convert::create_indexes(schema, &[]) {
            engine.update(operation).map_err(|error| Error::engine("a payload index could not be made", error))?;
        }
        drop(engine);
        fs::rename(unfinished, path).map_err(io)?;
        sync_folder(path.parent().unwrap_or(path)).map_err(io)
    }

    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let corrupt = |message: String| Error::Corrupt { path: path.to_owned(), message };
        leftovers::remove(path)?;
        // It panics on some damage.
        let loaded = catch_unwind(|| EdgeShard::load(path, None));
        let engine = loaded
            .map_err(|_| corrupt("the engine panicked while loading it".to_owned()))?
            .map_err(|error| corrupt(error.to_string()))?;
        let dimension = engine.config().vectors.get(DENSE).map(|vector| vector.size);
        let dimension = dimension.ok_or_else(|| corrupt("it has no dense vectors".to_owned()))?;
        let engine = Arc::new(RwLock::new(Some(engine)));
        let writer = Writer::start(path.to_owned(), Arc::clone(&engine))
            .map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self { engine, writer, readers: Arc::new(Semaphore::new(cores)), dimension })
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.writer.check()
    }

    /// Ends the writer, waits for readers, and flushes. Blocks.
    pub(super) fn close(&self) -> Result<(), Error> {
        self.writer.stop();
        let engine = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping it flushes, which panics on a full disk.
        catch_unwind(AssertUnwindSafe(|| drop(engine)))
            .map_err(|_| Error::engine("the vectors could not be flushed", "the engine panicked"))
    }

    pub(super) async fn ensure_indexes(&self, schema: &CollectionSchema) -> Result<(), Error> {
        if schema.dimension != self.dimension {
            return Err(Error::WrongDimension { expected: self.dimension, found: schema.dimension });
        }
        let present = self.read(|engine| Ok(convert::indexed_fields(&engine.info()))).await?;
        let indexes = convert::create_indexes(schema, &present);
        self.writer.run(indexes.into_iter().map(|index| Work::Write(Box::new(index), 0))).await
    }

    pub(super) async fn upsert(&self, points: Vec<Point>) -> Result<(), Error> {
        let wrong = points.iter().filter_map(|point| point.dense.as_ref()).find(|dense| dense.len() != self.dimension);
        if let Some(dense) = wrong {
            return Err(Error::WrongDimension { expected: self.dimension, found: dense.len() });
        }
        let mut writes = Vec::new();
        let mut points = points.into_iter().map(convert::to_engine_point).peekable();
        while points.peek().is_some() {
            let points: Vec<_> = points.by_ref().take(POINTS_PER_OPERATION).collect::<Result<_, _>>()?;
            let count = points.len();
            writes.push(Work::Write(Box::new(convert::upsert(points)), count));
        }
        self.writer.run(writes).await
    }

    pub(super) async fn delete_points(&self, ids: &[Uuid]) -> Result<(), Error> {
        self.delete(convert::delete_points(ids)).await
    }

    pub(super) async fn delete_matching(&self, filter: &Filter) -> Result<(), Error> {
        self.delete(convert::delete_matching(filter)).await
    }

    pub(super) async fn compact(&self) -> Result<(), Error> {
        self.writer.run([Work::Compact]).await
    }

    pub(super) async fn rank(&self, queries: Vec<RankingQuery<'_>>) -> Result<Vec<Vec<ScoredPoint>>, Error> {
        let wrong = queries.iter().find_map(|query| query.wrong_dimension(self.dimension));
        if let Some(found) = wrong {
            return Err(Error::WrongDimension { expected: self.dimension, found });
        }
        let requests: Vec<_> = queries.into_iter().map(convert::to_engine_query).collect::<Result<_, _>>()?;
        self.read(move |engine| {
            let rank = |request| {
                let found = engine.query(request).map_err(|error| Error::engine("a search failed", error))?;
                Ok(found.into_iter().filter_map(convert::from_scored).collect())
            };
            requests.into_iter().map(rank).collect()
        })
        .await
    }

    pub(super) async fn retrieve(&self, ids: &[Uuid], fields: Fields<'_>) -> Result<Vec<StoredPoint>, Error> {
        let ids: Vec<_> = ids.iter().copied().map(PointId::Uuid).collect();
        let fields = convert::to_engine_fields(fields);
        self.read(move |engine| {
            let found = engine
                .retrieve(&ids, Some(fields), None)
                .map_err(|error| Error::engine("reading points failed", error))?;
            Ok(found.into_iter().filter_map(convert::from_record).collect())
        })
        .await
    }

    pub(super) async fn scroll(
        &self,
        filter: &Filter,
        from: Option<Uuid>,
        limit: usize,
        fields: Fields<'_>,
    ) -> Result<ScrollPage, Error> {
        let request = ScrollRequest {
            offset: from.map(PointId::Uuid),
            limit: Some(limit),
            filter: Some(convert::to_engine_filter(filter)),
            with_payload: Some(convert::to_engine_fields(fields)),
            ..ScrollRequest::default()
        };
        self.read(move |engine| {
            let (found, next) =
                engine.scroll(request).map_err(|error| Error::engine("listing points failed", error))?;
            let points = found.into_iter().filter_map(convert::from_record).collect();
            Ok(ScrollPage { points, next: next.and_then(convert::from_engine_id) })
        })
        .await
    }

    /// By listing: the engine's own count counts a point twice that is in two segments, as some are after the process
    /// was killed while it was compacting.
    pub(super) async fn count(&self, filter: &Filter) -> Result<usize, Error> {
        let (mut count, mut from) = (0, None);
        loop {
            let page = self.scroll(filter, from, POINTS_PER_PAGE, Fields::None).await?;
            count += page.points.len();
            from = page.next;
            if from.is_none() {
                return Ok(count);
            }
        }
    }

    async fn delete(&self, operation: UpdateOperation) -> Result<(), Error> {
        self.writer.run([Work::Delete(Box::new(operation))]).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EdgeShard) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.readers).acquire_owned().await;
        let engine = Arc::clone(&self.engine);
        super::blocking(move || {
            let _turn = turn;
            let engine = engine.read().unwrap_or_else(PoisonError::into_inner);
            let closed = || Error::Unavailable { message: "the collection was closed".to_owned() };
            work(engine.as_ref().ok_or_else(closed)?)
        })
        .await
    }
}

fn config(schema: &CollectionSchema) -> EdgeConfig {
    // "On disk" are the same mapped files, without reading 32 MB of them into memory on opening.
    let dense = EdgeVectorParams::builder(schema.dimension, qdrant_edge::Distance::Cosine).on_disk(true).build();
    let sparse = EdgeSparseVectorParams::builder().modifier(qdrant_edge::Modifier::Idf).on_disk(true).build();
    // Exact search takes milliseconds at 50,000 chunks, building HNSW over them minutes, during which the writer
    // thread could take no writes: m = 0 makes segments that are "indexed" without a graph.
    let no_graph = HnswIndexConfig { m: 0, on_disk: Some(true), ..HnswIndexConfig::default() };
    let optimizers = EdgeOptimizersConfig {
        indexing_threshold: Some(COMPACT_FROM_KB),
        default_segment_number: Some(SEGMENTS),
        ..EdgeOptimizersConfig::default()
    };
    let log = WalOptions { segment_capacity: LOG_PART_BYTES, ..WalOptions::default() };
    EdgeConfig::builder()
        .vector(DENSE, dense)
        .sparse_vector(SPARSE, sparse)
        .hnsw_config(no_graph)
        .optimizers(optimizers)
        .wal_options(log)
        .build()
}
