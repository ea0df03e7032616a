//! From a message to the passages that may answer it: stand alone, embed, search. The rules by which a follow-up is
//! made to stand alone are in [`standalone`]; ranking and filtering live in the collection.

pub mod standalone;

use std::sync::Arc;
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{self, Filter, Hit, SearchMode, SearchQuery, SearchResult};
use footnote_knowledge::embedding;
use tracing::{Instrument, info_span};

use crate::library::{self, Library};
use crate::source_document::SourceDocument;
use standalone::{Standalone, standalone_question};

#[derive(Clone)]
pub struct Retrieval {
    library: Library,
}

/// What was found for one message.
pub struct Retrieved {
    pub question: Standalone,
    /// Best first, numbered from 1.
    pub sources: Vec<SourceDocument>,
    pub embed: Duration,
    pub search: Duration,
}

/// A search with the time its two steps took.
pub struct TimedSearch {
    pub result: SearchResult,
    pub embed: Duration,
    pub search: Duration,
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
    pub fn new(library: Library) -> Self {
        Self { library }
    }

    /// The passages for `message` in the light of the user's earlier messages, oldest first.
    pub async fn retrieve(
        &self,
        message: &str,
        earlier_user_messages: &[&str],
        filter: &Filter,
        top_k: usize,
    ) -> Result<Retrieved, Error> {
        let question = standalone_question(message, earlier_user_messages);
        let TimedSearch { result, embed, search } =
            self.search(&question.question, filter, top_k, SearchMode::Hybrid).await?;
        let sources = result.hits.into_iter().enumerate().map(|(index, hit)| source_document(index + 1, hit)).collect();
        Ok(Retrieved { question, sources, embed, search })
    }

    /// Search alone, for [`retrieve`](Self::retrieve) and for `POST /search`.
    pub async fn search(
        &self,
        text: &str,
        filter: &Filter,
        limit: usize,
        mode: SearchMode,
    ) -> Result<TimedSearch, Error> {
        let opened = self.library.open().await.map_err(Error::Library)?;

        let started = Instant::now();
        let embedding =
            opened.embedder.embed_query(text).instrument(info_span!("embed")).await.map_err(Error::Embedding)?;
        let embed = started.elapsed();

        let started = Instant::now();
        let query = SearchQuery { text, embedding: &embedding, filter, limit, mode };
        let result = opened.collection.search(query).instrument(info_span!("search")).await.map_err(Error::Search)?;
        Ok(TimedSearch { result, embed, search: started.elapsed() })
    }
}

/// The passage as clients see it, as number `n`.
pub fn source_document(n: usize, hit: Hit) -> SourceDocument {
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
