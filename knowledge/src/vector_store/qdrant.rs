//! A Qdrant server or cluster, over gRPC.
//!
//! Here: which call serves what. The client is in `qdrant/connection`; deadlines, retries and what errors mean in
//! `qdrant/call`, types in `qdrant/convert`.

mod call;
mod connection;
mod convert;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    CollectionInfo, CountPointsBuilder, CreateAliasBuilder, DeletePointsBuilder, GetPointsBuilder, PointStruct,
    QueryBatchPointsBuilder, ScrollPointsBuilder, UpdateCollectionBuilder, UpsertPointsBuilder,
};
use uuid::Uuid;

use self::call::Patience;
use self::connection::Connection;
use super::error::Error;
use super::point::{CollectionSchema, Fields, Filter, Point, RankingQuery, ScoredPoint, ScrollPage, StoredPoint};
use crate::secret::Secret;

/// A message may have 32 MiB; smaller ones are cheap to repeat and let searches in between.
const MESSAGE_BYTES: usize = 4 << 20;

/// Up to here every vector is compared: some tens of ms at worst, and the ranking is that of the embedded engine.
/// Beyond, the server's HNSW index is used.
const POINTS_TO_SEARCH_EXACTLY: u64 = 200_000;

#[derive(Clone)]
pub struct QdrantStore {
    connection: Arc<Connection>,
    known: Arc<Mutex<HashMap<String, Known>>>,
}

/// What we know of a collection; learned when its alias is resolved.
#[derive(Debug, Clone, Copy)]
struct Known {
    dimension: usize,
    points: u64,
}

impl QdrantStore {
    /// Does not connect yet.
    pub(super) fn connect(url: &str, api_key: Option<&Secret>) -> Result<Self, Error> {
        Ok(Self { connection: Arc::new(Connection::new(url, api_key)?), known: Arc::default() })
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        self.connection
            .call("a health check", "", Patience::None, |client| async move { client.health_check().await })
            .await?;
        Ok(())
    }

    pub(super) async fn ensure_collection(&self, collection: &str, schema: &CollectionSchema) -> Result<(), Error> {
        if !self.collection_exists(collection).await? {
            let create = |client: Arc<Qdrant>| async move {
                client.create_collection(convert::create_collection(collection, schema)).await
            };
            let created = self.connection.call("making a collection", collection, Patience::Changing, create).await;
            // Another server may have made it at the same moment.
            if let Err(error) = created
                && !self.collection_exists(collection).await?
            {
                return Err(error);
            }
        }
        let (known, indexed) = self.learn(collection).await?;
        if known.dimension != schema.dimension {
            return Err(Error::WrongDimension { expected: known.dimension, found: schema.dimension });
        }
        for (field, kind) in schema.filtered.iter().filter(|(field, _)| !indexed.iter().any(|known| known == *field)) {
            let create = |client: Arc<Qdrant>| async move {
                client.create_field_index(convert::create_index(collection, field, *kind)).await
            };
            self.connection.call("making a payload index", collection, Patience::Changing, create).await?;
        }
        Ok(())
    }

    pub(super) async fn collection_exists(&self, collection: &str) -> Result<bool, Error> {
        let exists = |client: Arc<Qdrant>| async move { client.collection_exists(collection).await };
        self.connection.call("looking for a collection", collection, Patience::Reading, exists).await
    }

    pub(super) async fn delete_collection(&self, collection: &str) -> Result<bool, Error> {
        let delete = |client: Arc<Qdrant>| async move { client.delete_collection(collection).await };
        let deleted = self.connection.call("deleting a collection", collection, Patience::Changing, delete).await?;
        self.known().remove(collection);
        Ok(deleted.result)
    }

    /// Also learns anew how large the collection is.
    pub(super) async fn resolve_alias(&self, alias: &str) -> Result<Option<String>, Error> {
        let list = |client: Arc<Qdrant>| async move { client.list_aliases().await };
        let aliases = self.connection.call("reading aliases", alias, Patience::Reading, list).await?.aliases;
        let found = aliases.into_iter().find(|found| found.alias_name == alias).map(|found| found.collection_name);
        match &found {
            Some(collection) => drop(self.learn(collection).await?),
            None => self.expect_name_is_free(alias).await?,
        }
        Ok(found)
    }

    /// A name is an alias or a collection; somebody else's collection would keep us from making the alias.
    async fn expect_name_is_free(&self, alias: &str) -> Result<(), Error> {
        // Not `collection_exists`, which would find an alias that another server made in this moment.
        let list = |client: Arc<Qdrant>| async move { client.list_collections().await };
        let taken = self.connection.call("listing collections", alias, Patience::Reading, list).await?.collections;
        if taken.iter().any(|taken| taken.name == alias) {
            let advice = "another program made it: choose another --collection";
            return Err(Error::engine(
                format!("the Qdrant server has a collection that is itself called {alias}"),
                advice,
            ));
        }
        Ok(())
    }

    pub(super) async fn switch_alias(&self, alias: &str, collection: &str) -> Result<(), Error> {
        // Makes an alias or points it elsewhere.
        let switch =
            |client: Arc<Qdrant>| async move { client.create_alias(CreateAliasBuilder::new(collection, alias)).await };
        self.connection.call("switching an alias", collection, Patience::Changing, switch).await?;
        Ok(())
    }

    pub(super) async fn upsert(&self, collection: &str, points: Vec<Point>) -> Result<(), Error> {
        let Known { dimension, .. } = self.known_or_learn(collection).await?;
        let wrong = points.iter().filter_map(|point| point.dense.as_ref()).find(|dense| dense.len() != dimension);
        if let Some(dense) = wrong {
            return Err(Error::WrongDimension { expected: dimension, found: dense.len() });
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        for point in points {
            let size = convert::approximate_bytes(&point);
            if bytes + size > MESSAGE_BYTES && !batch.is_empty() {
                self.upsert_batch(collection, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += size;
            batch.push(convert::to_server_point(point));
        }
        if batch.is_empty() { Ok(()) } else { self.upsert_batch(collection, batch).await }
    }

    async fn upsert_batch(&self, collection: &str, points: Vec<PointStruct>) -> Result<(), Error> {
        let upsert = |client: Arc<Qdrant>| {
            let request = UpsertPointsBuilder::new(collection, points.clone()).wait(true);
            async move { client.upsert_points(request).await }
        };
        self.connection.call("writing points", collection, Patience::Changing, upsert).await?;
        Ok(())
    }

    pub(super) async fn delete_points(&self, collection: &str, ids: &[Uuid]) -> Result<(), Error> {
        self.delete(DeletePointsBuilder::new(collection).points(convert::to_server_ids(ids)), collection).await
    }

    pub(super) async fn delete_matching(&self, collection: &str, filter: &Filter) -> Result<(), Error> {
        self.delete(DeletePointsBuilder::new(collection).points(convert::to_server_filter(filter)), collection).await
    }

    async fn delete(&self, request: DeletePointsBuilder, collection: &str) -> Result<(), Error> {
        let request = request.wait(true);
        let delete = |client: Arc<Qdrant>| {
            let request = request.clone();
            async move { client.delete_points(request).await }
        };
        self.connection.call("deleting points", collection, Patience::Changing, delete).await?;
        Ok(())
    }

    pub(super) async fn rank(
        &self,
        collection: &str,
        queries: Vec<RankingQuery<'_>>,
    ) -> Result<Vec<Vec<ScoredPoint>>, Error> {
        let known = self.known_or_learn(collection).await?;
        if let Some(found) = queries.iter().find_map(|query| query.wrong_dimension(known.dimension)) {
            return Err(Error::WrongDimension { expected: known.dimension, found });
        }
        let exact = known.points <= POINTS_TO_SEARCH_EXACTLY;
        let to_server = |query| convert::to_server_query(collection, query, exact);
        let queries: Vec<_> = queries.into_iter().map(to_server).collect();
        let rank = |client: Arc<Qdrant>| {
            let request = QueryBatchPointsBuilder::new(collection, queries.clone());
            async move { client.query_batch(request).await }
        };
        let rankings = self.connection.call("a search", collection, Patience::Reading, rank).await?.result;
        let ranking = |ranking: Vec<_>| ranking.into_iter().filter_map(convert::from_scored).collect();
        Ok(rankings.into_iter().map(|batch| ranking(batch.result)).collect())
    }

    pub(super) async fn retrieve(
        &self,
        collection: &str,
        ids: &[Uuid],
        fields: Fields<'_>,
    ) -> Result<Vec<StoredPoint>, Error> {
        let ids = convert::to_server_ids(ids);
        let request = GetPointsBuilder::new(collection, ids).with_payload(convert::to_server_fields(fields));
        let get = |client: Arc<Qdrant>| {
            let request = request.clone();
            async move { client.get_points(request).await }
        };
        let found = self.connection.call("reading points", collection, Patience::Reading, get).await?.result;
        Ok(found.into_iter().filter_map(convert::from_retrieved).collect())
    }

    pub(super) async fn dense_vectors(&self, collection: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, Error> {
        let request = GetPointsBuilder::new(collection, convert::to_server_ids(ids))
            .with_payload(convert::to_server_fields(Fields::None))
            .with_vectors(convert::only_dense());
        let get = |client: Arc<Qdrant>| {
            let request = request.clone();
            async move { client.get_points(request).await }
        };
        let found = self.connection.call("reading vectors", collection, Patience::Reading, get).await?.result;
        Ok(found.into_iter().filter_map(convert::dense_vector).collect())
    }

    pub(super) async fn scroll(
        &self,
        collection: &str,
        filter: &Filter,
        from: Option<Uuid>,
        limit: usize,
        fields: Fields<'_>,
    ) -> Result<ScrollPage, Error> {
        let mut request = ScrollPointsBuilder::new(collection)
            .filter(convert::to_server_filter(filter))
            .limit(u32::try_from(limit).unwrap_or(u32::MAX))
            .with_payload(convert::to_server_fields(fields));
        if let Some(from) = from {
            request = request.offset(from);
        }
        let scroll = |client: Arc<Qdrant>| {
            let request = request.clone();
            async move { client.scroll(request).await }
        };
        let page = self.connection.call("listing points", collection, Patience::Reading, scroll).await?;
        let points = page.result.into_iter().filter_map(convert::from_retrieved).collect();
        Ok(ScrollPage { points, next: page.next_page_offset.and_then(convert::from_server_id) })
    }

    pub(super) async fn count(&self, collection: &str, filter: &Filter) -> Result<usize, Error> {
        let request = CountPointsBuilder::new(collection).filter(convert::to_server_filter(filter)).exact(true);
        let count = |client: Arc<Qdrant>| {
            let request = request.clone();
            async move { client.count(request).await }
        };
        let counted = self.connection.call("counting points", collection, Patience::Reading, count).await?;
        let count = counted.result.map_or(0, |result| result.count);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    pub(super) async fn defer_indexing(&self, collection: &str) -> Result<(), Error> {
        self.set_indexing(collection, convert::defer_indexing(collection)).await
    }

    pub(super) async fn resume_indexing(&self, collection: &str) -> Result<(), Error> {
        // Asked first, because a change of the settings makes the server look at every segment.
        if self.is_indexing_deferred(collection).await? {
            self.set_indexing(collection, convert::resume_indexing(collection)).await?;
        }
        Ok(())
    }

    pub(super) async fn is_indexing_deferred(&self, collection: &str) -> Result<bool, Error> {
        Ok(convert::is_indexing_deferred(&self.info(collection).await?))
    }

    async fn set_indexing(&self, collection: &str, update: UpdateCollectionBuilder) -> Result<(), Error> {
        let set = |client: Arc<Qdrant>| {
            let update = update.clone();
            async move { client.update_collection(update).await }
        };
        self.connection.call("changing when vectors are indexed", collection, Patience::Changing, set).await?;
        Ok(())
    }

    async fn known_or_learn(&self, collection: &str) -> Result<Known, Error> {
        let known = self.known().get(collection).copied();
        match known {
            Some(known) => Ok(known),
            None => Ok(self.learn(collection).await?.0),
        }
    }

    /// Asks the server about a collection; also returns which fields are indexed.
    async fn learn(&self, collection: &str) -> Result<(Known, Vec<String>), Error> {
        let info = self.info(collection).await?;
        let dimension = convert::dimension(&info).ok_or_else(|| {
            Error::engine(format!("the collection {collection} has no vectors named `dense`"), "it is not ours")
        })?;
        let known = Known { dimension, points: info.points_count.unwrap_or_default() };
        self.known().insert(collection.to_owned(), known);
        Ok((known, info.payload_schema.into_keys().collect()))
    }

    async fn info(&self, collection: &str) -> Result<CollectionInfo, Error> {
        let ask = |client: Arc<Qdrant>| async move { client.collection_info(collection).await };
        let info = self.connection.call("reading about a collection", collection, Patience::Reading, ask).await?.result;
        info.ok_or_else(|| Error::NotFound { collection: collection.to_owned() })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for QdrantStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("QdrantStore").field("url", &self.connection.address()).finish_non_exhaustive()
    }
}
