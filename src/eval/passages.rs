//! The questions of the set put to retrieval.

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::corpus::Corpus;
use super::dataset::{Message, Question};
use super::metrics::{DEPTH, Metrics};
use super::progress::Progress;
use crate::cli::{EvalHistory, EvalOptions};
use crate::retrieval::{Request, Retrieval, Retrieved, Said, Speaker, Wanted};
use crate::source_document::SourceDocument;

/// As many as the cores of a small machine; the embedder has a queue of its own.
pub(super) const QUESTIONS_AT_ONCE: usize = 2;

/// What was found for one question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ranking {
    pub(super) id: String,
    pub(super) question: String,
    /// What was searched for.
    pub(super) standalone_question: String,
    /// Why the question was taken to depend on the conversation; empty where it was not.
    pub(super) reasons: Vec<String>,
    /// How many earlier messages took part in the search beside the question.
    #[serde(default)]
    pub(super) messages_in_context: usize,
    pub(super) metrics: Metrics,
    /// The ids of the best passages, best first.
    pub(super) ranking: Vec<String>,
    /// The conversation, or the question itself where it stands for none.
    pub(super) group: String,
    pub(super) embed_ms: f64,
    pub(super) search_ms: f64,
    /// Zero where there is no reranker.
    #[serde(default)]
    pub(super) rerank_ms: f64,
}

/// Retrieves for every question and compares with what is relevant.
pub(super) async fn rank(
    retrieval: &Retrieval,
    corpus: &Corpus,
    questions: &[&Question],
    options: &EvalOptions,
) -> anyhow::Result<Vec<Ranking>> {
    let mut progress = Progress::new("searching", questions.len());
    let mut rankings = Vec::with_capacity(questions.len());
    let mut found = stream::iter(questions.iter().copied())
        .map(|question| async move { anyhow::Ok((question, retrieve(retrieval, question, options, DEPTH).await?)) })
        .buffered(QUESTIONS_AT_ONCE);
    while let Some((question, retrieved)) = found.try_next().await? {
        rankings.push(ranking(corpus, question, &retrieved));
        progress.advance(1);
    }
    Ok(rankings)
}

/// Retrieval as a turn of chat does it, with as much of the conversation as the options say.
pub(super) async fn retrieve(
    retrieval: &Retrieval,
    question: &Question,
    options: &EvalOptions,
    limit: usize,
) -> anyhow::Result<Retrieved> {
    let message = match options.history {
        EvalHistory::None | EvalHistory::Auto => question.text.clone(),
        EvalHistory::Last => in_front(question, 1),
        EvalHistory::All => in_front(question, usize::MAX),
    };
    let earlier: Vec<Said<'_>> = match options.history {
        EvalHistory::Auto => question.history.iter().filter_map(said).collect(),
        EvalHistory::None | EvalHistory::Last | EvalHistory::All => Vec::new(),
    };
    let wanted = Wanted { filter: &Default::default(), limit, mode: options.mode, selection: Default::default() };
    let request = Request { message: &message, rewritten: None, earlier: &earlier, wanted };
    Ok(retrieval.retrieve(request).await?)
}

/// The question behind the newest `messages` of the user before it.
fn in_front(question: &Question, messages: usize) -> String {
    let of_user = question.history.iter().filter(|message| message.role == "user");
    let earlier: Vec<&str> = of_user.map(|message| message.content.as_str()).collect();
    let newest = &earlier[earlier.len().saturating_sub(messages)..];
    [newest, &[question.text.as_str()]].concat().join("\n")
}

fn said(message: &Message) -> Option<Said<'_>> {
    let by = match message.role.as_str() {
        "user" => Speaker::User,
        "assistant" => Speaker::Assistant,
        // A system message is nobody's part in a conversation.
        _ => return None,
    };
    Some(Said { by, text: &message.content })
}

fn ranking(corpus: &Corpus, question: &Question, retrieved: &Retrieved) -> Ranking {
    let id = |source: &SourceDocument| corpus.id_of(source).map(str::to_owned);
    let ranking: Vec<String> = retrieved.sources.iter().filter_map(id).collect();
    Ranking {
        id: question.id.clone(),
        question: question.text.clone(),
        standalone_question: retrieved.question.question.clone(),
        reasons: retrieved.question.reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        messages_in_context: retrieved.messages_in_context,
        metrics: Metrics::of(&ranking, &question.relevant),
        ranking,
        group: question.conversation.clone().unwrap_or_else(|| question.id.clone()),
        embed_ms: retrieved.times.embed.as_secs_f64() * 1e3,
        search_ms: retrieved.times.search.as_secs_f64() * 1e3,
        rerank_ms: retrieved.times.rerank.as_secs_f64() * 1e3,
    }
}
