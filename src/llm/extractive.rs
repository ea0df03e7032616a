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

use footnote_knowledge::blocking;
use footnote_knowledge::cross_encoder::CrossEncoder;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use candidates::Candidate;
use selection::Selection;

use crate::llm::{Answer, Completion, Error, Event, Finish, Question, Scope, Usage, abstention};
use crate::source_document::SourceDocument;

#[derive(Clone)]
pub struct Extractive {
    cross_encoder: CrossEncoder,
    scope: Scope,
}

impl Extractive {
    pub const NAME: &str = "extractive";

    pub fn new(cross_encoder: CrossEncoder, scope: Scope) -> Self {
        Self { cross_encoder, scope }
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
        let (candidates, question) = blocking::run(gather).await.map_err(|unfinished| failed(unfinished.into()))?;
        if candidates.is_empty() {
            return Ok(Selection::default());
        }
        let texts = candidates.iter().map(Candidate::in_context).collect();
        let relevance = self.cross_encoder.relevance(&question, texts).await.map_err(failed)?;
        let ranked = ranking::rank(&question, candidates, &relevance);
        Ok(selection::select(ranked, closeness, self.scope))
    }
}

fn failed(cause: crate::llm::Cause) -> Error {
    Error::Embedding(cause)
}

impl fmt::Debug for Extractive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)
    }
}
