//! One collection of the embedded engine: reads in the blocking pool, writes through the writer thread.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use qdrant_edge::{EdgeShard, PointId, ScrollRequest, UpdateOperation, WithVector};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::super::error::Error;
use super::super::point::{
    CollectionSchema, Fields, Filter, Point, RankingQuery, ScoredPoint, ScrollPage, StoredPoint,
};
use super::convert;
use super::engine::{DENSE, Engine};
use super::writer::{Work, Writer};

/// Points per operation. The engine lets readers in between operations, not within one of its 32-point steps; and an
/// operation has to fit the log.
const POINTS_PER_OPERATION: usize = 64;

/// How many are listed at once when they are counted.
const POINTS_PER_PAGE: usize = 10_000;

#[derive(Debug)]
pub(super) struct Shard {
    engine: Arc<Engine>,
    writer: Writer,
    /// More searches at once than cores only take turns.
    readers: Arc<Semaphore>,
    dimension: usize,
}

impl Shard {
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let engine = Arc::new(Engine::open(path)?);
        let dimension = engine.read(|shard| Ok(shard.config().vectors.get(DENSE).map(|vector| vector.size)))?;
        let no_vectors = || Error::Corrupt { path: path.to_owned(), message: "it has no dense vectors".to_owned() };
        let dimension = dimension.ok_or_else(no_vectors)?;
        let writer =
            Writer::start(Arc::clone(&engine)).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self { engine, writer, readers: Arc::new(Semaphore::new(cores)), dimension })
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.writer.check()?;
        if self.engine.is_sound() { Ok(()) } else { Err(self.engine.not_open()) }
    }

    /// Ends the writer, waits for readers, and flushes. Blocks.
    pub(super) fn close(&self) -> Result<(), Error> {
        self.writer.stop();
        self.engine.close()
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

    pub(super) async fn dense_vectors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, Error> {
        let ids: Vec<_> = ids.iter().copied().map(PointId::Uuid).collect();
        self.read(move |engine| {
            let vector = WithVector::Selector(vec![DENSE.to_owned()]);
            let found = engine
                .retrieve(&ids, Some(convert::to_engine_fields(Fields::None)), Some(vector))
                .map_err(|error| Error::engine("reading vectors failed", error))?;
            Ok(found.into_iter().filter_map(convert::dense_vector).collect())
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
        let list = move |engine: &EdgeShard| {
            let (found, next) =
                engine.scroll(request).map_err(|error| Error::engine("listing points failed", error))?;
            let points = found.into_iter().filter_map(convert::from_record).collect();
            Ok(ScrollPage { points, next: next.and_then(convert::from_engine_id) })
        };
        self.in_turn(move |engine| engine.list(list)).await
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
        self.in_turn(move |engine| engine.read(work)).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.readers).acquire_owned().await;
        let engine = Arc::clone(&self.engine);
        super::blocking(move || {
            let _turn = turn;
            work(&engine)
        })
        .await
    }
}
