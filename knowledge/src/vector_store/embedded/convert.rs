//! Our points, filters and queries in the engine's types, and its answers in ours.

use jiff::Timestamp;
use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{
    Condition as EngineCondition, CreateIndex, DateTimeWrapper, DatetimeIndexParams, FieldCondition,
    FieldIndexOperations, Filter as EngineFilter, JsonPath, KeywordIndexParams, Match, NamedQuery, NamedVectors,
    PayloadFieldSchema, PayloadSchemaParams, PointId, PointInsertOperations, PointOperations, PointStruct,
    PointStructPersisted, QueryEnum, QueryRequest, Range, Record, ScoredPoint as EnginePoint, ScoringQuery,
    SearchParams, ShardInfo, UpdateOperation, UuidIndexParams, Vector, VectorInternal, VectorStructInternal, Vectors,
    WithPayloadInterface,
};
use serde_json::Value;
use uuid::Uuid;

use super::super::error::Error;
use super::super::point::{
    CollectionSchema, Condition, FieldKind, Fields, Filter, Point, RankingQuery, RankingVector, ScoredPoint,
    SparseVector, StoredPoint,
};
use super::engine::{DENSE, SPARSE};

pub(super) fn to_engine_point(point: Point) -> Result<PointStructPersisted, Error> {
    let mut vectors = NamedVectors::default();
    if let Some(dense) = point.dense {
        vectors = vectors.add_vector(DENSE, Vector::new_dense(dense));
    }
    if let Some(sparse) = point.sparse {
        vectors = vectors.add_vector(SPARSE, to_engine_sparse(sparse)?);
    }
    let vectors = Vectors::from(vectors);
    Ok(PointStruct::new(PointId::Uuid(point.id), vectors, Value::Object(point.payload)).into())
}

fn to_engine_sparse(sparse: SparseVector) -> Result<Vector, Error> {
    Vector::new_sparse(sparse.indices, sparse.values)
        .map_err(|error| Error::engine("the sparse vector is not valid", error))
}

pub(super) fn upsert(points: Vec<PointStructPersisted>) -> UpdateOperation {
    let points = PointInsertOperations::PointsList(points);
    UpdateOperation::PointOperation(PointOperations::UpsertPoints(points))
}

pub(super) fn delete_points(ids: &[Uuid]) -> UpdateOperation {
    let ids = ids.iter().copied().map(PointId::Uuid).collect();
    UpdateOperation::PointOperation(PointOperations::DeletePoints { ids })
}

pub(super) fn delete_matching(filter: &Filter) -> UpdateOperation {
    UpdateOperation::PointOperation(PointOperations::DeletePointsByFilter(to_engine_filter(filter)))
}

/// Operations for the indexes of the schema that pay here and are not `present`.
pub(super) fn create_indexes(schema: &CollectionSchema, present: &[String]) -> Vec<UpdateOperation> {
    let deciding = schema.filtered.iter().filter(|(field, _)| !schema.beside_others.contains(*field));
    let missing = deciding.filter(|(field, _)| !present.iter().any(|present| present == *field));
    let create = |(field, kind): (&&'static str, &FieldKind)| {
        // "On disk" are mapped files, which take memory while they are looked at only.
        let on_disk = Some(true);
        let params = match kind {
            FieldKind::Keyword => {
                PayloadSchemaParams::Keyword(KeywordIndexParams { on_disk, ..KeywordIndexParams::default() })
            }
            FieldKind::Uuid => PayloadSchemaParams::Uuid(UuidIndexParams { on_disk, ..UuidIndexParams::default() }),
            FieldKind::Timestamp => {
                PayloadSchemaParams::Datetime(DatetimeIndexParams { on_disk, ..DatetimeIndexParams::default() })
            }
        };
        UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(CreateIndex {
            field_name: path(field),
            field_schema: Some(PayloadFieldSchema::FieldParams(params)),
        }))
    };
    missing.map(create).collect()
}

pub(super) fn indexed_fields(info: &ShardInfo) -> Vec<String> {
    info.payload_schema.keys().map(ToString::to_string).collect()
}

pub(super) fn to_engine_filter(filter: &Filter) -> EngineFilter {
    let conditions = |conditions: &[Condition]| {
        let converted: Vec<_> = conditions.iter().map(to_engine_condition).collect();
        (!converted.is_empty()).then_some(converted)
    };
    EngineFilter { must: conditions(&filter.must), must_not: conditions(&filter.must_not), ..EngineFilter::new() }
}

fn to_engine_condition(condition: &Condition) -> EngineCondition {
    match condition {
        Condition::AnyOf { field, values } => {
            EngineCondition::Field(FieldCondition::new_match(path(field), Match::from(values.clone())))
        }
        Condition::NotAfter { field, time } => {
            let range = Range { lt: None, gt: None, gte: None, lte: to_engine_time(*time) };
            EngineCondition::Field(FieldCondition::new_datetime_range(path(field), range))
        }
        Condition::NotBefore { field, time } => {
            let range = Range { lt: None, gt: None, gte: to_engine_time(*time), lte: None };
            EngineCondition::Field(FieldCondition::new_datetime_range(path(field), range))
        }
        Condition::Nested(filter) => EngineCondition::Filter(to_engine_filter(filter)),
    }
}

fn to_engine_time(time: Timestamp) -> Option<DateTimeWrapper> {
    DateTimeWrapper::from_timestamp(time.as_microsecond())
}

pub(super) fn to_engine_fields(fields: Fields<'_>) -> WithPayloadInterface {
    match fields {
        Fields::All => WithPayloadInterface::Bool(true),
        Fields::None => WithPayloadInterface::Bool(false),
        Fields::Only(fields) => WithPayloadInterface::Fields(fields.iter().map(|field| path(field)).collect()),
    }
}

pub(super) fn to_engine_query(query: RankingQuery<'_>) -> Result<QueryRequest, Error> {
    let nearest = match query.vector {
        RankingVector::Dense(dense) => NamedQuery::new(VectorInternal::Dense(dense), DENSE),
        RankingVector::Sparse(sparse) => NamedQuery::new(to_engine_sparse(sparse)?.into(), SPARSE),
    };
    Ok(QueryRequest {
        prefetches: Vec::new(),
        query: Some(ScoringQuery::Vector(QueryEnum::Nearest(nearest))),
        filter: Some(to_engine_filter(&query.filter))
            .filter(|filter| filter.must.is_some() || filter.must_not.is_some()),
        score_threshold: None::<OrderedFloat<f32>>,
        limit: query.limit,
        offset: 0,
        params: Some(SearchParams { exact: true, ..SearchParams::default() }),
        with_vector: false.into(),
        with_payload: to_engine_fields(query.fields),
    })
}

pub(super) fn from_scored(point: EnginePoint) -> Option<ScoredPoint> {
    let id = from_engine_id(point.id)?;
    Some(ScoredPoint { id, score: point.score, payload: point.payload.map(|payload| payload.0).unwrap_or_default() })
}

pub(super) fn from_record(record: Record) -> Option<StoredPoint> {
    let id = from_engine_id(record.id)?;
    Some(StoredPoint { id, payload: record.payload.map(|payload| payload.0).unwrap_or_default() })
}

pub(super) fn dense_vector(record: Record) -> Option<(Uuid, Vec<f32>)> {
    let id = from_engine_id(record.id)?;
    let VectorStructInternal::Named(mut named) = record.vector? else { return None };
    let VectorInternal::Dense(dense) = named.remove(DENSE)? else { return None };
    Some((id, dense))
}

/// Every point that we write has a UUID; one with a number is not ours.
pub(super) fn from_engine_id(id: PointId) -> Option<Uuid> {
    match id {
        PointId::Uuid(id) => Some(id),
        PointId::NumId(_) => None,
    }
}

fn path(field: &str) -> JsonPath {
    field.parse().expect("payload fields are plain names")
}
