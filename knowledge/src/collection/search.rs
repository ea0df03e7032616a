//! Hybrid search that sees each document in one version.

use std::collections::HashMap;

use serde::Serialize;
use uuid::Uuid;

use super::Collection;
use super::candidates::Versions;
use super::document::{Chunk, Filter};
use super::error::Error;
use super::fusion::{Fused, Ranked, fuse};
use super::payload::{self, WHOSE, Whose};
use crate::vector_store::{Fields, RankingQuery, RankingVector, ScoredPoint};

/// Each ranking goes this deep (or to the limit asked for, if that is deeper) before they are fused.
const CANDIDATES: usize = 100;

/// A search is repeated when it met chunks of a version that is not current. Once is enough unless the same documents
/// are replaced again within the milliseconds that a search takes.
const MOST_PASSES: usize = 4;

#[derive(Debug, Clone)]
pub struct SearchQuery<'a> {
    pub text: &'a str,
    /// Of `text`, by the collection's embedder; not looked at when the mode is [`SearchMode::Bm25`].
    pub embedding: &'a [f32],
    pub filter: &'a Filter,
    pub limit: usize,
    pub mode: SearchMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SearchMode {
    #[default]
    Hybrid,
    Dense,
    Bm25,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchResult {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Everything that was ranked, hits included, best first; then what was dropped before.
    pub candidates: Vec<Candidate>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub chunk: Chunk,
    /// Fused.
    pub score: f32,
    pub dense: Option<Ranked>,
    pub bm25: Option<Ranked>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    pub chunk_id: Uuid,
    pub document_id: Uuid,
    pub fused: Ranked,
    pub dense: Option<Ranked>,
    pub bm25: Option<Ranked>,
    /// None for a hit.
    pub dropped: Option<Dropped>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// Of a version of the document that is not the current one: replaced lately, or still being written.
    OtherVersion,
    /// Its document was deleted, or is not written yet.
    NoDocument,
    BelowLimit,
}

impl Collection {
    /// The best chunks for a question. Each document is seen in one version, the old or the new, also while it is
    /// being replaced.
    pub async fn search(&self, query: SearchQuery<'_>) -> Result<SearchResult, Error> {
        let stored = self.stored().await?;
        let store = &self.inner.store;
        let mut versions = Versions::default();
        let mut dropped_before = Vec::new();
        for pass in 1.. {
            let ranked = self.rank(stored, &query, &versions).await?;
            let points =
                store.retrieve(stored, &ids_to_read(&ranked, query.limit), Fields::Only(&payload::HIT)).await?;
            let mut chunks = versions.take_in(points, &ranked)?;
            let outdated = ranked.iter().any(|ranked| versions.reason_to_drop(&ranked.whose).is_some());
            if !outdated || pass == MOST_PASSES {
                return Ok(result(ranked, &versions, query.limit, &mut chunks, dropped_before));
            }
            let outdated = ranked.into_iter().zip(1..).filter_map(|(ranked, rank)| {
                let reason = versions.reason_to_drop(&ranked.whose)?;
                Some(ranked.candidate(rank, Some(reason)))
            });
            dropped_before.extend(outdated);
        }
        unreachable!("the last pass returns")
    }

    async fn rank(
        &self,
        stored: &str,
        query: &SearchQuery<'_>,
        versions: &Versions,
    ) -> Result<Vec<RankedChunk>, Error> {
        let filter = versions.exclude_outdated(self.store_filter(query.filter));
        let limit = query.limit.max(CANDIDATES);
        let ask = |vector| RankingQuery { vector, filter: filter.clone(), limit, fields: Fields::Only(&WHOSE) };
        let words = self.inner.bm25.embed_query(query.text);
        let (by_dense, by_words) = match query.mode {
            SearchMode::Hybrid => (true, true),
            SearchMode::Dense => (true, false),
            SearchMode::Bm25 => (false, true),
        };
        // A question of stop words only has no words to rank by.
        let by_words = by_words && !words.indices.is_empty();
        let mut queries = Vec::with_capacity(2);
        if by_dense {
            queries.push(ask(RankingVector::Dense(query.embedding.to_vec())));
        }
        if by_words {
            queries.push(ask(RankingVector::Sparse(words)));
        }
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let mut rankings = self.inner.store.rank(stored, queries).await?.into_iter();
        let dense = if by_dense { rankings.next().unwrap_or_default() } else { Vec::new() };
        let bm25 = if by_words { rankings.next().unwrap_or_default() } else { Vec::new() };
        fuse_chunks(dense, bm25)
    }
}

/// A candidate with the document version that it belongs to.
#[derive(Debug)]
pub(super) struct RankedChunk {
    pub(super) fused: Fused,
    pub(super) whose: Whose,
}

impl RankedChunk {
    fn candidate(&self, rank: usize, dropped: Option<Dropped>) -> Candidate {
        Candidate {
            chunk_id: self.fused.id,
            document_id: self.whose.document_id,
            fused: Ranked { rank, score: self.fused.score },
            dense: self.fused.dense,
            bm25: self.fused.bm25,
            dropped,
        }
    }
}

/// The chunks that may become hits, and the document point of every candidate.
fn ids_to_read(ranked: &[RankedChunk], limit: usize) -> Vec<Uuid> {
    let mut ids: Vec<_> = ranked.iter().map(|ranked| ranked.whose.document_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.extend(ranked.iter().take(limit).map(|ranked| ranked.fused.id));
    ids
}

fn fuse_chunks(dense: Vec<ScoredPoint>, bm25: Vec<ScoredPoint>) -> Result<Vec<RankedChunk>, Error> {
    let scores = |points: &[ScoredPoint]| points.iter().map(|point| (point.id, point.score)).collect::<Vec<_>>();
    let fused = fuse(&scores(&dense), &scores(&bm25));
    let mut payloads: HashMap<_, _> = dense.into_iter().chain(bm25).map(|point| (point.id, point.payload)).collect();
    let with_document = |fused: Fused| {
        let whose = payload::read_whose(fused.id, payloads.remove(&fused.id).unwrap_or_default())?;
        Ok(RankedChunk { fused, whose })
    };
    fused.into_iter().map(with_document).collect()
}

fn result(
    ranked: Vec<RankedChunk>,
    versions: &Versions,
    limit: usize,
    chunks: &mut HashMap<Uuid, Chunk>,
    dropped_before: Vec<Candidate>,
) -> SearchResult {
    let mut result = SearchResult::default();
    for (ranked, rank) in ranked.into_iter().zip(1..) {
        let dropped = if let Some(reason) = versions.reason_to_drop(&ranked.whose) {
            Some(reason)
        } else if rank > limit {
            Some(Dropped::BelowLimit)
        } else if let Some(chunk) = chunks.remove(&ranked.fused.id) {
            let Fused { score, dense, bm25, .. } = ranked.fused;
            result.hits.push(Hit { chunk, score, dense, bm25 });
            None
        } else {
            // Deleted between being ranked and being read.
            Some(Dropped::OtherVersion)
        };
        result.candidates.push(ranked.candidate(rank, dropped));
    }
    result.candidates.extend(dropped_before);
    result
}
