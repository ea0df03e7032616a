//! An optional second look at what was found, by a cross-encoder, which reads question and passage together: the
//! built-in one, or one behind an [`endpoint`]. Whoever waits for an answer does not wait for the latter longer than its
//! deadline: without it the fused order stands.

mod endpoint;

use std::collections::HashMap;

use footnote_knowledge::collection::{Hit, Ranked, embedded_text};
use footnote_knowledge::cross_encoder::CrossEncoder;
use uuid::Uuid;

pub use endpoint::{Endpoint, EndpointOptions};

/// What a unit of the built-in model's logit counts beside the fused score of the search, which is 0 to 2.
const RELEVANCE: f32 = 0.15;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reranker {
    kind: Kind,
    /// How many of the best passages it is shown.
    candidates: usize,
}

#[derive(Debug, Clone)]
enum Kind {
    Local(CrossEncoder),
    Endpoint(Endpoint),
}

impl Reranker {
    pub fn local(cross_encoder: CrossEncoder, candidates: usize) -> Self {
        Self { kind: Kind::Local(cross_encoder), candidates }
    }

    pub fn endpoint(endpoint: Endpoint, candidates: usize) -> Self {
        Self { kind: Kind::Endpoint(endpoint), candidates }
    }

    /// Of what kind it is.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Local(_) => "local",
            Kind::Endpoint(_) => "endpoint",
        }
    }

    /// Asks it for one score.
    pub async fn check(&self) -> anyhow::Result<()> {
        self.relevance("Does it work?", vec!["It works.".to_owned()]).await.map(drop)
    }

    /// Whether it did what it was asked last, if it was asked anything.
    pub fn is_heard(&self) -> bool {
        match &self.kind {
            Kind::Local(_) => true,
            Kind::Endpoint(endpoint) => endpoint.is_heard(),
        }
    }

    /// How many passages to find for it.
    pub(super) fn candidates(&self) -> usize {
        self.candidates
    }

    /// Puts the best of the hits into its order. They stay as they are if it has none to give; else its scores are
    /// returned, by chunk.
    pub(super) async fn rerank(&self, question: &str, hits: &mut [Hit]) -> Option<HashMap<Uuid, Ranked>> {
        let shown = self.candidates.min(hits.len());
        let best = &mut hits[..shown];
        let scores = match self.scores(question, best).await {
            Ok(scores) => scores,
            Err(error) => {
                let cause = format!("{error:#}");
                tracing::warn!(
                    error.cause = cause,
                    "the reranker was not heard; passages keep the order of the search"
                );
                return None;
            }
        };
        let scores: HashMap<Uuid, f32> = best.iter().map(|hit| hit.chunk.id).zip(scores).collect();
        let score = |hit: &Hit| self.combined(scores[&hit.chunk.id], hit.score);
        // Stable: of equals, the better found comes first.
        best.sort_by(|one, other| score(other).total_cmp(&score(one)));
        let ranked = best.iter().zip(1..).map(|(hit, rank)| {
            let id = hit.chunk.id;
            (id, Ranked { rank, score: scores[&id] })
        });
        Some(ranked.collect())
    }

    /// What a passage is ordered by. The built-in model, small as it is, is better together with the search than alone; an
    /// endpoint's scores are of unknown size.
    fn combined(&self, reranker: f32, search: f32) -> f32 {
        match &self.kind {
            Kind::Local(_) => search + RELEVANCE * reranker,
            Kind::Endpoint(_) => reranker,
        }
    }

    /// One score per hit, in their order.
    async fn scores(&self, question: &str, hits: &[Hit]) -> anyhow::Result<Vec<f32>> {
        let passage = |hit: &Hit| embedded_text(&hit.chunk.title, hit.chunk.heading.as_deref(), &hit.chunk.text);
        self.relevance(question, hits.iter().map(passage).collect()).await
    }

    async fn relevance(&self, question: &str, passages: Vec<String>) -> anyhow::Result<Vec<f32>> {
        if passages.is_empty() {
            return Ok(Vec::new());
        }
        match &self.kind {
            Kind::Local(cross_encoder) => {
                cross_encoder.relevance(question, passages).await.map_err(anyhow::Error::from_boxed)
            }
            Kind::Endpoint(endpoint) => Ok(endpoint.scores(question, &passages).await?),
        }
    }
}
