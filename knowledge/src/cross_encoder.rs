//! How well a text answers a question: ms-marco-MiniLM-L-12-v2, which reads both together, where an embedder makes a vector
//! of each by itself. Slower for it, and so asked about a few sentences, not about a collection.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::blocking;
use crate::embedding::{Source, Tokenizer};
use crate::inference::{self, Network, Priority, Session, Shipped, Workers, shipped};

// Its README tells where it comes from.
const MODEL: Shipped = shipped!("ms-marco-MiniLM-L-12-v2");

/// It would take 21 MB, and makes a pair of 50 tokens an eighth faster.
const PACKED: bool = false;

/// Of a question and a text together; as many as it was trained with.
const MAX_TOKENS: usize = 512;

/// Cheap to clone. Its threads are started, and its weights read, when it is asked for the first time.
#[derive(Clone)]
pub struct CrossEncoder(Arc<Inner>);

struct Inner {
    tokenizer: Option<Tokenizer>,
    started: OnceCell<Started>,
}

struct Started {
    tokenizer: Tokenizer,
    workers: Workers<Pair>,
}

struct Pair {
    tokens: Vec<u32>,
    /// Where the text begins.
    text: usize,
}

impl CrossEncoder {
    /// `tokenizer` is the exact one of all-MiniLM-L6-v2, where it is open: both models have the vocabulary of uncased BERT,
    /// and its tables take ten megabytes.
    pub fn new(tokenizer: Option<Tokenizer>) -> Self {
        Self(Arc::new(Inner { tokenizer, started: OnceCell::new() }))
    }

    /// The relevance of each text to the question, in order: a logit, about 5 and more for an answer, -10 for a text about
    /// something else.
    pub async fn relevance(&self, question: &str, texts: Vec<String>) -> Result<Vec<f32>, Source> {
        let starting = || async {
            let tokenizer = self.0.tokenizer.clone();
            blocking::run(|| start(tokenizer)).await?
        };
        self.0.started.get_or_try_init(starting).await?;
        let (inner, question) = (Arc::clone(&self.0), question.to_owned());
        let submit_all = move || {
            let Started { tokenizer, workers } = inner.started.get().expect("started above");
            let (pairs, text) = tokenizer.pairs(&question, texts.iter().map(String::as_str), MAX_TOKENS);
            let submit = |tokens| workers.submit(Pair { tokens, text }, Priority::Query);
            pairs.into_iter().map(submit).collect::<Vec<_>>()
        };
        let mut scores = Vec::new();
        for score in blocking::run(submit_all).await? {
            scores.push(score.await??[0]);
        }
        Ok(scores)
    }
}

fn start(tokenizer: Option<Tokenizer>) -> Result<Started, Source> {
    let tokenizer = tokenizer.map_or_else(Tokenizer::exact, Ok)?;
    let network = Network::load(MODEL, "logits", PACKED)?;
    let relevance = |session: &Session, Pair { tokens, text }: &Pair| session.run(tokens, *text, [1, 1]);
    Ok(Started { tokenizer, workers: inference::start(network, "relevance", relevance)? })
}

impl fmt::Debug for CrossEncoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CrossEncoder")
    }
}
