//! Our points, filters and queries in the client's types, and the server's answers in ours.

use std::collections::HashMap;

use jiff::Timestamp;
use qdrant_client::Payload as ServerPayload;
use qdrant_client::qdrant::with_payload_selector::SelectorOptions;
use qdrant_client::qdrant::{
    CollectionInfo, Condition as ServerCondition, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DatetimeRange, Distance, FieldType, Filter as ServerFilter, Modifier, NamedVectors, OptimizersConfigDiffBuilder,
    PayloadIncludeSelector, PointId, PointStruct, Query, QueryPoints, QueryPointsBuilder, RetrievedPoint,
    ScoredPoint as ServerScored, SearchParamsBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
    Timestamp as ServerTimestamp, UpdateCollectionBuilder, Value, Vector, VectorInput, VectorParamsBuilder,
    VectorsConfigBuilder, VectorsSelector, point_id, vector_output, vectors_config, vectors_output,
};
use serde_json::Value as JsonValue;
use uuid::Uuid;

use super::super::point::{
    CollectionSchema, Condition, FieldKind, Fields, Filter, Payload, Point, RankingQuery, RankingVector, ScoredPoint,
    SparseVector, StoredPoint,
};

const DENSE: &str = "dense";
const SPARSE: &str = "bm25";

/// KB of vectors in a segment from which the server builds HNSW: not for collections that are searched exactly.
const INDEX_FROM_KB: u64 = 100_000;

pub(super) fn create_collection(collection: &str, schema: &CollectionSchema) -> CreateCollectionBuilder {
    let mut dense = VectorsConfigBuilder::default();
    dense.add_named_vector_params(DENSE, VectorParamsBuilder::new(schema.dimension as u64, Distance::Cosine));
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params(SPARSE, SparseVectorParamsBuilder::default().modifier(Modifier::Idf));
    CreateCollectionBuilder::new(collection)
        .vectors_config(dense)
        .sparse_vectors_config(sparse)
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(INDEX_FROM_KB))
}

/// The threshold that means never.
const NO_INDEX: u64 = 0;

pub(super) fn defer_indexing(collection: &str) -> UpdateCollectionBuilder {
    index_from(collection, NO_INDEX)
}

pub(super) fn resume_indexing(collection: &str) -> UpdateCollectionBuilder {
    index_from(collection, INDEX_FROM_KB)
}

fn index_from(collection: &str, kb: u64) -> UpdateCollectionBuilder {
    UpdateCollectionBuilder::new(collection)
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(kb))
}

pub(super) fn is_indexing_deferred(info: &CollectionInfo) -> bool {
    let optimizers = info.config.as_ref().and_then(|config| config.optimizer_config.as_ref());
    optimizers.is_some_and(|optimizers| optimizers.indexing_threshold == Some(NO_INDEX))
}

pub(super) fn create_index(collection: &str, field: &str, kind: FieldKind) -> CreateFieldIndexCollectionBuilder {
    let kind = match kind {
        FieldKind::Keyword => FieldType::Keyword,
        FieldKind::Uuid => FieldType::Uuid,
        FieldKind::Timestamp => FieldType::Datetime,
    };
    CreateFieldIndexCollectionBuilder::new(collection, field, kind).wait(true)
}

/// The length of the collection's dense vectors, if it has any.
pub(super) fn dimension(info: &CollectionInfo) -> Option<usize> {
    let config = info.config.as_ref()?.params.as_ref()?.vectors_config.as_ref()?.config.as_ref()?;
    let size = match config {
        vectors_config::Config::ParamsMap(named) => named.map.get(DENSE)?.size,
        vectors_config::Config::Params(_) => return None,
    };
    usize::try_from(size).ok()
}

pub(super) fn to_server_point(point: Point) -> PointStruct {
    let mut vectors = NamedVectors::default();
    if let Some(dense) = point.dense {
        vectors = vectors.add_vector(DENSE, Vector::new_dense(dense));
    }
    if let Some(SparseVector { indices, values }) = point.sparse {
        vectors = vectors.add_vector(SPARSE, Vector::new_sparse(indices, values));
    }
    PointStruct::new(point.id.to_string(), vectors, ServerPayload::from(point.payload))
}

/// Near enough to keep messages small.
pub(super) fn approximate_bytes(point: &Point) -> usize {
    let dense = point.dense.as_ref().map_or(0, |dense| 4 * dense.len());
    let sparse = point.sparse.as_ref().map_or(0, |sparse| 9 * sparse.indices.len());
    let payload: usize = point.payload.iter().map(|(field, value)| field.len() + value_bytes(value)).sum();
    dense + sparse + payload + 64
}

fn value_bytes(value: &JsonValue) -> usize {
    let content = match value {
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) => 8,
        JsonValue::String(text) => text.len(),
        JsonValue::Array(items) => items.iter().map(value_bytes).sum(),
        JsonValue::Object(fields) => fields.iter().map(|(field, value)| field.len() + value_bytes(value)).sum(),
    };
    content + 8
}

pub(super) fn to_server_ids(ids: &[Uuid]) -> Vec<PointId> {
    ids.iter().map(|id| PointId::from(id.to_string())).collect()
}

pub(super) fn to_server_filter(filter: &Filter) -> ServerFilter {
    ServerFilter {
        must: filter.must.iter().map(to_server_condition).collect(),
        must_not: filter.must_not.iter().map(to_server_condition).collect(),
        ..ServerFilter::default()
    }
}

fn to_server_condition(condition: &Condition) -> ServerCondition {
    match condition {
        Condition::AnyOf { field, values } => ServerCondition::matches(*field, values.clone()),
        Condition::NotAfter { field, time } => {
            let range = DatetimeRange { lte: Some(to_server_time(*time)), ..DatetimeRange::default() };
            ServerCondition::datetime_range(*field, range)
        }
        Condition::NotBefore { field, time } => {
            let range = DatetimeRange { gte: Some(to_server_time(*time)), ..DatetimeRange::default() };
            ServerCondition::datetime_range(*field, range)
        }
        Condition::Nested(filter) => ServerCondition::from(to_server_filter(filter)),
    }
}

fn to_server_time(time: Timestamp) -> ServerTimestamp {
    ServerTimestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

pub(super) fn to_server_fields(fields: Fields<'_>) -> SelectorOptions {
    match fields {
        Fields::All => SelectorOptions::Enable(true),
        Fields::None => SelectorOptions::Enable(false),
        Fields::Only(fields) => {
            let fields = fields.iter().map(|field| (*field).to_owned()).collect();
            SelectorOptions::Include(PayloadIncludeSelector { fields })
        }
    }
}

pub(super) fn to_server_query(collection: &str, query: RankingQuery<'_>, exact: bool) -> QueryPoints {
    let (vector, name) = match query.vector {
        RankingVector::Dense(dense) => (Query::new_nearest(dense), DENSE),
        RankingVector::Sparse(SparseVector { indices, values }) => {
            (Query::new_nearest(VectorInput::new_sparse(indices, values)), SPARSE)
        }
    };
    QueryPointsBuilder::new(collection)
        .query(vector)
        .using(name)
        .filter(to_server_filter(&query.filter))
        .limit(query.limit as u64)
        .params(SearchParamsBuilder::default().exact(exact))
        .with_payload(to_server_fields(query.fields))
        .build()
}

pub(super) fn from_scored(point: ServerScored) -> Option<ScoredPoint> {
    Some(ScoredPoint { id: from_server_id(point.id?)?, score: point.score, payload: from_payload(point.payload) })
}

pub(super) fn from_retrieved(point: RetrievedPoint) -> Option<StoredPoint> {
    Some(StoredPoint { id: from_server_id(point.id?)?, payload: from_payload(point.payload) })
}

pub(super) fn only_dense() -> VectorsSelector {
    VectorsSelector { names: vec![DENSE.to_owned()] }
}

pub(super) fn dense_vector(point: RetrievedPoint) -> Option<(Uuid, Vec<f32>)> {
    let vectors_output::VectorsOptions::Vectors(mut named) = point.vectors?.vectors_options? else { return None };
    let vector_output::Vector::Dense(dense) = named.vectors.remove(DENSE)?.into_vector() else { return None };
    Some((from_server_id(point.id?)?, dense.data))
}

fn from_payload(payload: HashMap<String, Value>) -> Payload {
    ServerPayload::from(payload).into()
}

/// Every point that we write has a UUID; one with a number is not ours.
pub(super) fn from_server_id(id: PointId) -> Option<Uuid> {
    match id.point_id_options? {
        point_id::PointIdOptions::Uuid(id) => Uuid::try_parse(&id).ok(),
        point_id::PointIdOptions::Num(_) => None,
    }
}
