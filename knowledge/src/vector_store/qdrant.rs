//! A Qdrant server or cluster, over gRPC.
//!
//! Here: which call serves what. Deadlines, retries and what errors mean are in `qdrant/call`, types in
//! `qdrant/convert`.

mod call;
mod convert;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    CountPointsBuilder, CreateAliasBuilder, DeletePointsBuilder, GetPointsBuilder, PointStruct,
    QueryBatchPointsBuilder, ScrollPointsBuilder, UpsertPointsBuilder,
};
use uuid::Uuid;

use self::call::{Patience, call};
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
    client: Qdrant,
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
        let mut config = Qdrant::from_url(url)
            // It prints to standard output and holds up the start; `doctor` tells versions.
            .skip_compatibility_check()
            .connect_timeout(call::CONNECT)
            .timeout(call::LONGEST);
        if let Some(key) = api_key {
            config.set_api_key(key.expose());
        }
        let client = config.build().map_err(|error| Error::engine(format!("{url} is not a URL of Qdrant"), error))?;
        Ok(Self { client, known: Arc::default() })
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        call("a health check", "", Patience::None, || self.client.health_check()).await?;
        Ok(())
    }

    pub(super) async fn ensure_collection(&self, collection: &str, schema: &CollectionSchema) -> Result<(), Error> {
        if !self.collection_exists(collection).await? {
            let create = || self.client.create_collection(convert::create_collection(collection, schema));
            let created = call("making a collection", collection, Patience::Changing, create).await;
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
            let create = || self.client.create_field_index(convert::create_index(collection, field, *kind));
            call("making a payload index", collection, Patience::Changing, create).await?;
        }
        Ok(())
    }

    pub(super) async fn collection_exists(&self, collection: &str) -> Result<bool, Error> {
        let exists = || self.client.collection_exists(collection);
        call("looking for a collection", collection, Patience::Reading, exists).await
    }

    pub(super) async fn delete_collection(&self, collection: &str) -> Result<bool, Error> {
        let delete = || self.client.delete_collection(collection);
        let deleted = call("deleting a collection", collection, Patience::Changing, delete).await?;
        self.known().remove(collection);
        Ok(deleted.result)
    }

    /// Also learns anew how large the collection is.
    pub(super) async fn resolve_alias(&self, alias: &str) -> Result<Option<String>, Error> {
        let aliases = call("reading aliases", alias, Patience::Reading, || self.client.list_aliases()).await?.aliases;
        let found = aliases.into_iter().find(|found| found.alias_name == alias).map(|found| found.collection_name);
        if let Some(collection) = &found {
            self.learn(collection).await?;
        }
        Ok(found)
    }

    pub(super) async fn switch_alias(&self, alias: &str, collection: &str) -> Result<(), Error> {
        // Makes an alias or points it elsewhere.
        let switch = || self.client.create_alias(CreateAliasBuilder::new(collection, alias));
        call("switching an alias", collection, Patience::Changing, switch).await?;
        Ok(())
    }

    pub(super) async fn upsert(&self, collection: &str, points: Vec<Point>) -> Result<(), Error> {
        let dimension = self.dimension(collection).await?;
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
        let upsert = || self.client.upsert_points(UpsertPointsBuilder::new(collection, points.clone()).wait(true));
        call("writing points", collection, Patience::Changing, upsert).await?;
        Ok(())
    }

    pub(super) async fn delete_points(&self, collection: &str, ids: &[Uuid]) -> Result<(), Error> {
        let ids = convert::to_server_ids(ids);
        let delete = || self.client.delete_points(DeletePointsBuilder::new(collection).points(ids.clone()).wait(true));
        call("deleting points", collection, Patience::Changing, delete).await?;
        Ok(())
    }

    pub(super) async fn delete_matching(&self, collection: &str, filter: &Filter) -> Result<(), Error> {
        let filter = convert::to_server_filter(filter);
        let delete =
            || self.client.delete_points(DeletePointsBuilder::new(collection).points(filter.clone()).wait(true));
        call("deleting points", collection, Patience::Changing, delete).await?;
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
        let rank = || self.client.query_batch(QueryBatchPointsBuilder::new(collection, queries.clone()));
        let rankings = call("a search", collection, Patience::Reading, rank).await?.result;
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
        let get = || self.client.get_points(request.clone());
        let found = call("reading points", collection, Patience::Reading, get).await?.result;
        Ok(found.into_iter().filter_map(convert::from_retrieved).collect())
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
        let page =
            call("listing points", collection, Patience::Reading, || self.client.scroll(request.clone())).await?;
        let points = page.result.into_iter().filter_map(convert::from_retrieved).collect();
        Ok(ScrollPage { points, next: page.next_page_offset.and_then(convert::from_server_id) })
    }

    pub(super) async fn count(&self, collection: &str, filter: &Filter) -> Result<usize, Error> {
        let request = CountPointsBuilder::new(collection).filter(convert::to_server_filter(filter)).exact(true);
        let counted =
            call("counting points", collection, Patience::Reading, || self.client.count(request.clone())).await?;
        let count = counted.result.map_or(0, |result| result.count);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn dimension(&self, collection: &str) -> Result<usize, Error> {
        Ok(self.known_or_learn(collection).await?.dimension)
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
        let ask = || self.client.collection_info(collection);
        let info = call("reading about a collection", collection, Patience::Reading, ask).await?.result;
        let not_found = || Error::NotFound { collection: collection.to_owned() };
        let info = info.ok_or_else(not_found)?;
        let dimension = convert::dimension(&info).ok_or_else(|| {
            Error::engine(format!("the collection {collection} has no vectors named `dense`"), "it is not ours")
        })?;
        let known = Known { dimension, points: info.points_count.unwrap_or_default() };
        self.known().insert(collection.to_owned(), known);
        Ok((known, info.payload_schema.into_keys().collect()))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for QdrantStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("QdrantStore").field("url", &self.client.config.uri).finish_non_exhaustive()
    }
}
