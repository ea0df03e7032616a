//! Answers in the sources' own words: the sentences that support an answer best, each followed by the number of its
//! source, or the sentence that says there is none.
//!
//! In four steps: what could be quoted ([`candidates`]), which of it speaks to the question ([`ranking`]), which of that
//! to say ([`selection`]), and how ([`composition`]).

mod candidates;
mod composition;
mod ranking;
mod selection;

use std::fmt;
use std::sync::Arc;

use footnote_knowledge::embedding::Embedder;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use candidates::Candidate;
use selection::Selection;

use crate::llm::{Answer, Completion, Error, Event, Finish, Question, Scope, Usage, abstention};
use crate::source_document::SourceDocument;

#[derive(Clone)]
pub struct Extractive {
    embedder: Arc<Embedder>,
    scope: Scope,
}

impl Extractive {
    pub const NAME: &str = "extractive";

    pub fn new(embedder: Arc<Embedder>, scope: Scope) -> Self {
        Self { embedder, scope }
    }

    /// One delta per sentence; all of them are known before the first is given.
    pub async fn answer(&self, question: Question, deadline: Instant) -> Result<Answer, Error> {
        let asked = Instant::now();
        let not_in_the_documents = abstention::not_in_the_documents(&question.message);
        let Selection { support, sentences } =
            tokio::time::timeout_at(deadline, self.select(question.standalone, question.sources, question.closeness))
                .await
                .map_err(|_| Error::Timeout { silence: asked.elapsed() })??;
        let abstained = sentences.is_empty();
        let pieces = if abstained { vec![not_in_the_documents.to_owned()] } else { composition::compose(sentences) };
        let done = Completion { usage: Usage::default(), abstained, support: Some(support), finish: Finish::Complete };
        let events = pieces.into_iter().map(Event::Delta).chain([Event::Done(done)]);
        Ok(stream::iter(events.map(Ok).collect::<Vec<_>>()).boxed())
    }

    /// What to say, in order; nothing if nothing supports an answer.
    async fn select(
        &self,
        question: String,
        sources: Vec<SourceDocument>,
        closeness: Option<f32>,
    ) -> Result<Selection, Error> {
        let gather = move || (candidates::gather(&question, &sources), question);
        // Taking the sources apart is work for the CPU, more of it the more sources there are.
        let (candidates, question) =
            tokio::task::spawn_blocking(gather).await.map_err(|stopped| failed(stopped.into()))?;
        if candidates.is_empty() {
            return Ok(Selection::default());
        }
        let mut texts = vec![question.clone()];
        texts.extend(candidates.iter().map(Candidate::in_context));
        let mut vectors = self.embedder.embed_queries(texts).await.map_err(|error| failed(error.into()))?;
        let similarities = vectors.split_off(1).iter().map(|vector| dot(&vectors[0], vector)).collect::<Vec<f32>>();
        let ranked = ranking::rank(&question, candidates, &similarities);
        // Where it is not known, the nearest sentence stands for the nearest passage.
        let nearest = similarities.iter().copied().max_by(f32::total_cmp).unwrap_or_default();
        Ok(selection::select(ranked, closeness.unwrap_or(nearest), self.scope))
    }
}

fn failed(cause: crate::llm::Cause) -> Error {
    Error::Embedding(cause)
}

/// The cosine: vectors of the embedder have unit length.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

impl fmt::Debug for Extractive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)
    }
}
