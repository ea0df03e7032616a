//! From a message to the passages that may answer it: stand alone, embed, search. The rules by which a follow-up is
//! made to stand alone are in [`standalone`], what else of the conversation is searched with in [`context`]; ranking and
//! filtering live in the collection.

mod context;
mod conversation;
mod neighbours;
mod rerank;
mod standalone;

use std::sync::Arc;
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{
    self, Candidate, Dropped, Filter, Hit, Ranked, SearchMode, SearchQuery, SearchResult, Selection,
};
use footnote_knowledge::embedding::{self, Embedder};
use serde::Serialize;
use tracing::{Instrument, info_span};

use crate::library::{self, Library, Opened};
use crate::source_document::SourceDocument;
use context::Context;
pub use conversation::{Said, Speaker};
pub use rerank::{Endpoint, EndpointOptions, Reranker};
pub use standalone::Standalone;
use standalone::standalone_question;

#[derive(Clone)]
pub struct Retrieval {
    library: Library,
    reranker: Option<Reranker>,
}

/// What to find passages for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// As the user typed it.
    pub message: &'a str,
    /// The same as a question of its own, if somebody has put it so.
    pub rewritten: Option<&'a str>,
    /// The conversation before it, oldest first.
    pub earlier: &'a [Said<'a>],
    pub wanted: Wanted<'a>,
}

/// Which passages are wanted, whatever the question.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub filter: &'a Filter,
    pub limit: usize,
    pub mode: SearchMode,
    pub selection: Selection,
}

/// How many earlier messages, at most, retrieval looks at: what is further back is about something else.
pub const MESSAGES_BACK: usize = 8;

/// The same as a search sees it.
struct Sought<'a> {
    /// Whose words and meaning are searched for.
    text: &'a str,
    /// What a reranker is asked: it knows no context, so it must stand alone.
    question: &'a str,
    context: Context<'a>,
}

/// What was found for one message.
pub struct Retrieved {
    pub question: Standalone,
    /// What was embedded and whose words were searched for, beside the context.
    pub searched_for: String,
    /// How many earlier messages took part in the search beside the question.
    pub messages_in_context: usize,
    /// Best first, numbered from 1.
    pub sources: Vec<SourceDocument>,
    /// Everything that was ranked, best found first, and why it was dropped if it was.
    pub considered: Vec<Considered>,
    /// The cosine of the question and the nearest passage; none if the built-in model embeds no documents.
    pub closeness: Option<f32>,
    /// Whether the sources have a reranker's order.
    pub reranked: bool,
    pub times: Times,
}

/// Something that was ranked on the way.
#[derive(Debug, Clone, Serialize)]
pub struct Considered {
    #[serde(flatten)]
    pub candidate: Candidate,
    /// What a reranker made of it, if it was shown it.
    pub reranked: Option<Ranked>,
}

/// How long each step took.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub embed: Duration,
    pub search: Duration,
    pub rerank: Duration,
}

/// A search with the time its steps took.
pub struct TimedSearch {
    /// Best first.
    pub hits: Vec<Hit>,
    pub considered: Vec<Considered>,
    pub reranked: bool,
    pub times: Times,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the documents are not open")]
    Library(#[source] Arc<library::Error>),
    #[error("the question could not be embedded")]
    Embedding(#[source] embedding::Error),
    #[error("the search failed")]
    Search(#[source] collection::Error),
}

impl Retrieval {
    pub fn new(library: Library, reranker: Option<Reranker>) -> Self {
        Self { library, reranker }
    }

    /// Whoever is asked about what a search finds.
    pub fn reranker(&self) -> Option<&Reranker> {
        self.reranker.as_ref()
    }

    /// What questions are embedded with.
    pub async fn embedder(&self) -> Result<Arc<Embedder>, Error> {
        Ok(Arc::clone(&self.library.open().await.map_err(Error::Library)?.embedder))
    }

    /// The passages for a message in the light of what was said before.
    pub async fn retrieve(&self, request: Request<'_>) -> Result<Retrieved, Error> {
        let Request { message, rewritten, earlier, wanted } = request;
        let earlier = &earlier[earlier.len().saturating_sub(MESSAGES_BACK)..];
        let by_rule = standalone(message, earlier);
        let question = match rewritten {
            Some(rewritten) => by_rule.rewritten(rewritten),
            None => by_rule,
        };
        // A rewritten question holds what it took from the conversation.
        let context = Context::of(earlier, question.depends && rewritten.is_none());
        let messages_in_context = context.words.len();
        let searched_for = rewritten.unwrap_or_else(|| question.search_text(message)).to_owned();
        let opened = self.library.open().await.map_err(Error::Library)?;
        let TimedSearch { hits, considered, reranked, times } = self
            .search_in_context(&opened, Sought { text: &searched_for, question: &question.question, context }, wanted)
            .await?;
        // Cosines of other models are of another size.
        let closeness = if matches!(*opened.embedder, Embedder::Local(_)) { closeness(&considered) } else { None };
        let sources = source_documents(hits);
        Ok(Retrieved { question, searched_for, messages_in_context, sources, considered, closeness, reranked, times })
    }

    /// Search alone, for `POST /search`.
    pub async fn search(&self, text: &str, wanted: Wanted<'_>) -> Result<TimedSearch, Error> {
        let opened = self.library.open().await.map_err(Error::Library)?;
        let sought = Sought { text, question: text, context: Context::default() };
        self.search_in_context(&opened, sought, wanted).await
    }

    async fn search_in_context(
        &self,
        opened: &Opened,
        Sought { text, question, context }: Sought<'_>,
        wanted: Wanted<'_>,
    ) -> Result<TimedSearch, Error> {
        let Wanted { filter, limit, mode, selection } = wanted;
        // Whoever asks for passages that differ does not want them in the order of relevance again.
        let reranker = self.reranker.as_ref().filter(|_| selection.mmr.is_none());
        let mut times = Times { embed: Duration::ZERO, search: Duration::ZERO, rerank: Duration::ZERO };

        let embedding = timed(&mut times.embed, embed(opened, text, &context).instrument(info_span!("embed"))).await?;

        let found = reranker.map_or(limit, |reranker| limit.max(reranker.candidates()));
        let query =
            SearchQuery { text, embedding: &embedding, context: &context.words, filter, limit: found, mode, selection };
        let searching = opened.collection.search(query).instrument(info_span!("search"));
        let SearchResult { mut hits, candidates } = timed(&mut times.search, searching).await.map_err(Error::Search)?;

        let scores = match reranker {
            Some(reranker) => {
                let reranking = reranker.rerank(question, &mut hits).instrument(info_span!("rerank"));
                timed(&mut times.rerank, reranking).await
            }
            None => None,
        };
        let consider = |candidate: Candidate| {
            let reranked = scores.as_ref().and_then(|scores| scores.get(&candidate.chunk_id).copied());
            Considered { candidate, reranked }
        };
        let mut considered: Vec<Considered> = candidates.into_iter().map(consider).collect();
        keep_best(&mut hits, &mut considered, limit);
        Ok(TimedSearch { hits, considered, reranked: scores.is_some(), times })
    }
}

/// Of what was found for the reranker, as much as was asked for.
fn keep_best(hits: &mut Vec<Hit>, considered: &mut [Considered], limit: usize) {
    for hit in hits.drain(limit.min(hits.len())..) {
        let candidate = considered.iter_mut().map(|it| &mut it.candidate).find(|it| it.chunk_id == hit.chunk.id);
        candidate.expect("every hit is a candidate").dropped = Some(Dropped::BelowLimit);
    }
}

async fn timed<Output>(taken: &mut Duration, step: impl Future<Output = Output>) -> Output {
    let started = Instant::now();
    let output = step.await;
    *taken = started.elapsed();
    output
}

/// What the rules make of a message.
pub fn standalone(message: &str, earlier: &[Said<'_>]) -> Standalone {
    let earlier = &earlier[earlier.len().saturating_sub(MESSAGES_BACK)..];
    standalone_question(message, &conversation::of_user(earlier))
}

/// The vector to search with. Question and context are embedded at the same time.
async fn embed(opened: &Opened, text: &str, context: &Context<'_>) -> Result<Vec<f32>, Error> {
    let Some(answer) = &context.answer else {
        return opened.embedder.embed_query(text).await.map_err(Error::Embedding);
    };
    let texts = vec![text.to_owned(), answer.clone()];
    let vectors = opened.embedder.embed_queries(texts).await.map_err(Error::Embedding)?;
    Ok(context::towards_answer(&vectors[0], &vectors[1]))
}

fn closeness(considered: &[Considered]) -> Option<f32> {
    let cosines = considered.iter().filter_map(|it| it.candidate.dense.map(|dense| dense.score));
    cosines.max_by(f32::total_cmp)
}

/// The passages as clients see them, numbered from 1; neighbours in one document are one.
pub fn source_documents(hits: Vec<Hit>) -> Vec<SourceDocument> {
    neighbours::joined(hits).into_iter().zip(1..).map(|(hit, n)| source_document(n, hit)).collect()
}

fn source_document(n: usize, hit: Hit) -> SourceDocument {
    let Hit { chunk, score, .. } = hit;
    SourceDocument {
        n,
        id: chunk.id,
        document_id: chunk.document_id,
        title: chunk.title,
        source: chunk.source,
        page: chunk.page,
        heading: chunk.heading,
        start: chunk.start,
        end: chunk.end,
        text: chunk.text,
        text_truncated: false,
        score,
        cited: false,
    }
}
