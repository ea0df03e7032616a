//! Points, rankings and filters in our own words, free of either backend's types.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

pub type Payload = Map<String, Value>;

/// What is written: a point may have both vectors, one, or none.
#[derive(Debug, Clone)]
pub struct Point {
    pub id: Uuid,
    pub dense: Option<Vec<f32>>,
    pub sparse: Option<SparseVector>,
    pub payload: Payload,
}

/// `values[i]` is the weight of dimension `indices[i]`; indices are distinct.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SparseVector {
    pub indices: Vec<u32>,
    pub values: Vec<f32>,
}

/// A point as it is read back, without its vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPoint {
    pub id: Uuid,
    pub payload: Payload,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScoredPoint {
    pub id: Uuid,
    /// Cosine similarity for a dense ranking, the sum of IDF-weighted products for a sparse one.
    pub score: f32,
    pub payload: Payload,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScrollPage {
    pub points: Vec<StoredPoint>,
    /// Where the next page begins.
    pub next: Option<Uuid>,
}

/// Which part of the payload to send back.
#[derive(Debug, Clone, Copy)]
pub enum Fields<'a> {
    All,
    None,
    Only(&'a [&'a str]),
}

/// What one ranking of a collection asks for.
#[derive(Debug, Clone)]
pub struct RankingQuery<'a> {
    pub vector: RankingVector,
    pub filter: Filter,
    pub limit: usize,
    pub fields: Fields<'a>,
}

impl RankingQuery<'_> {
    /// The length of its dense vector, if that is not `dimension`.
    pub(super) fn wrong_dimension(&self, dimension: usize) -> Option<usize> {
        match &self.vector {
            RankingVector::Dense(dense) => (dense.len() != dimension).then_some(dense.len()),
            RankingVector::Sparse(_) => None,
        }
    }
}

#[derive(Debug, Clone)]
pub enum RankingVector {
    Dense(Vec<f32>),
    Sparse(SparseVector),
}

/// All of `must` hold and none of `must_not`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    pub must: Vec<Condition>,
    pub must_not: Vec<Condition>,
}

impl Filter {
    pub fn all(must: impl Into<Vec<Condition>>) -> Self {
        Self { must: must.into(), must_not: Vec::new() }
    }

    pub fn and(mut self, condition: Condition) -> Self {
        self.must.push(condition);
        self
    }

    pub fn and_not(mut self, condition: Condition) -> Self {
        self.must_not.push(condition);
        self
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The field, or an element of it if it is a list, is one of these.
    AnyOf { field: &'static str, values: Vec<String> },
    /// The field is a timestamp not later than this.
    NotAfter { field: &'static str, time: Timestamp },
    /// The field is a timestamp not earlier than this.
    NotBefore { field: &'static str, time: Timestamp },
    /// A filter within a filter.
    Nested(Filter),
}

impl Condition {
    pub fn is(field: &'static str, value: impl Into<String>) -> Self {
        Self::AnyOf { field, values: vec![value.into()] }
    }
}

/// What a collection is made with.
#[derive(Debug, Clone)]
pub struct CollectionSchema {
    /// Length of the dense vectors.
    pub dimension: usize,
    /// The payload fields that filters name.
    pub filtered: BTreeMap<&'static str, FieldKind>,
    /// Those of them that never decide alone: filters name them beside one that leaves few points. A server in strict
    /// mode wants an index all the same; the embedded engine goes without, each index being 8 more waits for the disk
    /// per write.
    pub beside_others: BTreeSet<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Keyword,
    Uuid,
    Timestamp,
}
