//! Hybrid search that sees each document in one version.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Collection;
use super::document::{Chunk, Filter};
use super::error::Error;
use super::fusion::{Fused, Ranked, fuse};
use super::payload::{self, CURRENT, INGESTED_AT};
use super::selection::{Said, Selection, by_marginal_relevance, take_out_distant};
use super::versions::Versions;
use crate::vector_store::{Fields, RankingQuery, RankingVector, SparseVector, StoredPoint};

/// Each ranking goes this deep (or to the limit asked for, if that is deeper) before they are fused.
const CANDIDATES: usize = 100;

/// A search is repeated when it met chunks of a version that is not current, or a document that became current while it
/// ran. Which version of a document it answers with is settled when it is first met (see `versions`), so more than twice
/// takes documents that come up only when others are left out, and change in that very moment.
const MOST_PASSES: usize = 4;

/// Bytes of a question whose words are counted in less time than it takes to hand it to another thread.
const COUNTED_AT_ONCE: usize = 1024;

#[derive(Debug, Clone)]
pub struct SearchQuery<'a> {
    pub text: &'a str,
    /// Of `text`, by the collection's embedder; not looked at when the mode is [`SearchMode::Bm25`].
    pub embedding: &'a [f32],
    /// Texts around the question, whose words count too.
    pub context: &'a [ContextText<'a>],
    pub filter: &'a Filter,
    pub limit: usize,
    pub mode: SearchMode,
    pub selection: Selection,
}

/// Something said before a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContextText<'a> {
    pub text: &'a str,
    /// What its words count beside those of the question, which count 1.
    pub weight: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
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
    /// Everything that was ranked, hits included, best first; then what was dropped on the way.
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
    /// Its cosine is less than the threshold asked for.
    BelowThreshold,
    /// A better one has the same words.
    Repeats,
    BelowLimit,
}

impl Collection {
    /// The best chunks for a question. Each document is seen in one version, the old or the new, also while it is
    /// being replaced.
    pub async fn search(&self, query: SearchQuery<'_>) -> Result<SearchResult, Error> {
        let words = self.count_words(&query).await;
        let mut versions = Versions::default();
        let mut dropped = Vec::new();
        for pass in 1.. {
            versions.begin_pass(payload::now());
            let mut ranked = self.rank(&query, &words, &versions).await?;
            let distant = self.take_out_distant(&mut ranked, &query).await?;
            self.diversify(&mut ranked, &query).await?;
            // Once outdated chunks were met there may be more of them: then all that are ranked are looked at.
            let mut read = if pass == 1 { query.limit } else { ranked.len() };
            let mut chunks = HashMap::new();
            let hits = loop {
                self.read(&ranked[..read.min(ranked.len())], &mut chunks, &mut versions).await?;
                let best = ranked.iter().take(query.limit).filter_map(|ranked| chunks.get(&ranked.id));
                if !versions.may_answer_with(best) && pass < MOST_PASSES {
                    break None;
                }
                let result = result(&ranked, &query, &chunks, &versions);
                // What repeats another makes room for the next.
                if result.hits.len() >= query.limit || read >= ranked.len() {
                    break Some(result);
                }
                read += query.limit;
            };
            if let Some(mut result) = hits {
                result.candidates.extend(distant);
                result.candidates.extend(dropped);
                return Ok(result);
            }
            dropped.extend(ranked.iter().filter_map(|ranked| {
                let reason = versions.reason_to_drop(chunks.get(&ranked.id)?)?;
                Some(candidate(ranked, Some(reason)))
            }));
        }
        unreachable!("the last pass returns")
    }

    /// Reads those of the ranked chunks that are not read yet, and which versions their documents are in.
    async fn read(
        &self,
        ranked: &[Fused],
        chunks: &mut HashMap<Uuid, Chunk>,
        versions: &mut Versions,
    ) -> Result<(), Error> {
        let unread = ranked.iter().map(|ranked| ranked.id).filter(|id| !chunks.contains_key(id)).collect();
        let new = self.read_chunks(unread).await?;
        let documents = self.read_versions(&new).await?;
        versions.take_in(&new, documents)?;
        chunks.extend(new);
        Ok(())
    }

    /// The chunks that are farther from the question than was asked for.
    async fn take_out_distant(
        &self,
        ranked: &mut Vec<Fused>,
        query: &SearchQuery<'_>,
    ) -> Result<Vec<Candidate>, Error> {
        let Some(threshold) = query.selection.score_threshold else { return Ok(Vec::new()) };
        let of_words_only = ranked.iter().filter(|ranked| ranked.dense.is_none()).map(|ranked| ranked.id).collect();
        let cosines = self.dense_vectors(of_words_only).await?.into_iter().map(|(id, vector)| {
            let cosine = vector.iter().zip(query.embedding).map(|(a, b)| a * b).sum();
            (id, cosine)
        });
        let distant = take_out_distant(ranked, threshold, &cosines.collect());
        Ok(distant.iter().map(|ranked| candidate(ranked, Some(Dropped::BelowThreshold))).collect())
    }

    /// Brings the first ranked chunks into an order in which each differs from those before it.
    async fn diversify(&self, ranked: &mut Vec<Fused>, query: &SearchQuery<'_>) -> Result<(), Error> {
        let Some(diversity) = query.selection.mmr else { return Ok(()) };
        let rest = ranked.split_off(ranked.len().min(query.selection.looked_at(query.limit)));
        let vectors = self.dense_vectors(ranked.iter().map(|ranked| ranked.id).collect()).await?;
        *ranked = by_marginal_relevance(std::mem::take(ranked), &vectors, diversity);
        ranked.extend(rest);
        Ok(())
    }

    async fn dense_vectors(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<f32>>, Error> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(self.inner.store.dense_vectors(self.stored().await?, &ids).await?)
    }

    /// Empty when words are not asked for.
    async fn count_words(&self, query: &SearchQuery<'_>) -> SparseVector {
        let bytes = query.text.len() + query.context.iter().map(|context| context.text.len()).sum::<usize>();
        match query.mode {
            SearchMode::Dense => SparseVector::default(),
            SearchMode::Hybrid | SearchMode::Bm25 if bytes <= COUNTED_AT_ONCE => {
                let context = query.context.iter().map(|context| (context.text, context.weight));
                self.inner.bm25.embed_query_in_context(query.text, context)
            }
            SearchMode::Hybrid | SearchMode::Bm25 => {
                let (inner, text) = (Arc::clone(&self.inner), query.text.to_owned());
                let context = query.context.iter().map(|context| (context.text.to_owned(), context.weight));
                let context: Vec<(String, f32)> = context.collect();
                let counted = tokio::task::spawn_blocking(move || {
                    let context = context.iter().map(|(text, weight)| (text.as_str(), *weight));
                    inner.bm25.embed_query_in_context(&text, context)
                });
                counted.await.expect("counting words does not panic")
            }
        }
    }

    async fn rank(
        &self,
        query: &SearchQuery<'_>,
        words: &SparseVector,
        versions: &Versions,
    ) -> Result<Vec<Fused>, Error> {
        let filter = versions.exclude_outdated(self.store_filter(query.filter));
        let limit = query.limit.max(CANDIDATES);
        let ask = |vector| RankingQuery { vector, filter: filter.clone(), limit, fields: Fields::None };
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
            queries.push(ask(RankingVector::Sparse(words.clone())));
        }
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let rankings = self.inner.store.rank(self.stored().await?, queries).await?;
        let mut rankings = rankings.into_iter().map(|ranking| ranking.iter().map(|it| (it.id, it.score)).collect());
        let dense: Vec<_> = if by_dense { rankings.next().unwrap_or_default() } else { Vec::new() };
        let bm25: Vec<_> = if by_words { rankings.next().unwrap_or_default() } else { Vec::new() };
        Ok(fuse(&dense, &bm25))
    }

    async fn read_chunks(&self, mut ids: Vec<Uuid>) -> Result<HashMap<Uuid, Chunk>, Error> {
        let mut chunks = self.inner.chunk_cache.take(&mut ids).await;
        if ids.is_empty() {
            return Ok(chunks);
        }
        for point in self.inner.store.retrieve(self.stored().await?, &ids, Fields::All).await? {
            let chunk = payload::read_chunk(point)?;
            self.inner.chunk_cache.put(&chunk).await;
            chunks.insert(chunk.id, chunk);
        }
        Ok(chunks)
    }

    /// What the points of the chunks' documents say.
    async fn read_versions(&self, chunks: &HashMap<Uuid, Chunk>) -> Result<Vec<StoredPoint>, Error> {
        let documents: HashSet<_> = chunks.values().map(|chunk| chunk.document_id).collect();
        let documents: Vec<_> = documents.into_iter().collect();
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.inner.store.retrieve(self.stored().await?, &documents, Fields::Only(&[CURRENT, INGESTED_AT])).await?)
    }
}

fn candidate(ranked: &Fused, dropped: Option<Dropped>) -> Candidate {
    let Fused { id, rank, score, dense, bm25 } = *ranked;
    Candidate { chunk_id: id, fused: Ranked { rank, score }, dense, bm25, dropped }
}

/// The hits among the chunks read, and why the others are none.
fn result(
    ranked: &[Fused],
    query: &SearchQuery<'_>,
    chunks: &HashMap<Uuid, Chunk>,
    versions: &Versions,
) -> SearchResult {
    let mut result = SearchResult::default();
    let mut said = Said::default();
    for (ranked, place) in ranked.iter().zip(1..) {
        let dropped = match chunks.get(&ranked.id) {
            // Deleted between being ranked and being read.
            None if place <= query.limit => Some(Dropped::NoDocument),
            None => Some(Dropped::BelowLimit),
            Some(_) if result.hits.len() == query.limit => Some(Dropped::BelowLimit),
            Some(chunk) => {
                versions.reason_to_drop(chunk).or_else(|| said.repeats(&chunk.text).then_some(Dropped::Repeats))
            }
        };
        if let (None, Some(chunk)) = (dropped, chunks.get(&ranked.id)) {
            let Fused { score, dense, bm25, .. } = *ranked;
            result.hits.push(Hit { chunk: chunk.clone(), score, dense, bm25 });
        }
        result.candidates.push(candidate(ranked, dropped));
    }
    result
}
