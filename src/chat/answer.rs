//! A question put to an answerer and the answer read to its end, as a turn does it and `footnote eval` measures it.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use super::citations::{self, CheckedCitations};
use crate::llm::{self, Answerer, Completion, ContextUse};
use crate::retrieval::{self, Retrieval, Retrieved};
use crate::source_document::SourceDocument;
use crate::text::marker_filter::MarkerFilter;

/// What was answered.
pub struct Answer {
    /// Without markers that name no source.
    pub text: String,
    pub completion: Completion,
    /// How many numbers of no source it cited.
    pub removed_markers: usize,
}

/// What the answerer is asked once passages are found, and what did not fit. The sources found are then those it gets.
pub async fn question(
    answerer: &Answerer,
    message: &str,
    history: Vec<llm::Message>,
    retrieved: &mut Retrieved,
) -> Result<(llm::Question, Option<ContextUse>), llm::Error> {
    let question = llm::Question {
        message: message.to_owned(),
        standalone: retrieved.question.question.clone(),
        history,
        sources: retrieved.sources.clone(),
        closeness: retrieved.closeness,
    };
    let (question, left_out) = answerer.fit(question).await?;
    if left_out.is_some_and(|left_out| left_out.source_cut || left_out.sources_dropped > 0) {
        retrieved.sources.clone_from(&question.sources);
    }
    Ok((question, left_out))
}

impl Answer {
    /// `show` is given the pieces as they come, each marker once it is whole and names a source.
    pub async fn read(
        answerer: &Answerer,
        question: llm::Question,
        patience: Duration,
        mut show: impl FnMut(String),
    ) -> Result<Self, llm::Error> {
        let mut markers = MarkerFilter::new(question.sources.len());
        let mut text = String::new();
        let mut take = |piece: String| {
            if !piece.is_empty() {
                text.push_str(&piece);
                show(piece);
            }
        };
        // Boxed, since what it takes to begin an answer is not needed while it is read.
        let mut events = Box::pin(answerer.answer(question, Instant::now() + patience)).await?;
        while let Some(event) = events.next().await {
            match event? {
                llm::Event::Delta(delta) => take(markers.push(&delta)),
                llm::Event::Done(completion) => {
                    let (rest, removed_markers) = markers.finish();
                    take(rest);
                    return Ok(Self { text, completion, removed_markers });
                }
            }
        }
        Err(llm::Error::Interrupted("the answer ended without its last event".into()))
    }
}

/// What an answer cites and whether it is so, by words and by meaning; sets `cited` of each source.
pub async fn check_citations(text: &str, sources: &mut Vec<SourceDocument>, retrieval: &Retrieval) -> CheckedCitations {
    let (text, mut checked_sources) = (text.to_owned(), std::mem::take(sources));
    // Comparing every cited sentence with its source is work, and the more the longer the answer.
    let checking = move || (citations::check(&text, &mut checked_sources), checked_sources);
    let mut checked;
    (checked, *sources) = tokio::task::spawn_blocking(checking).await.expect("the check does not panic");
    if checked.leaves_meanings_open()
        && let Err(error) = compare_meanings(&mut checked, retrieval).await
    {
        let cause = format!("{:#}", anyhow::Error::new(error));
        tracing::warn!(error.cause = cause, "citations in other words than their source were not compared by meaning");
    }
    checked
}

async fn compare_meanings(checked: &mut CheckedCitations, retrieval: &Retrieval) -> Result<(), retrieval::Error> {
    let embedder = retrieval.embedder().await?;
    checked.compare_meanings(&embedder).await.map_err(retrieval::Error::Embedding)
}
