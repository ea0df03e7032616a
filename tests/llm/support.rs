//! What the tests of this binary share: a client of the scripted server, and reading a whole answer.

use std::time::Duration;

use footnote::llm::prompt::PromptTemplates;
use footnote::llm::{
    Answer, Answerer, Completion, Error, Event, OpenAiChat, OpenAiChatOptions, PromptBudget, Question, Retries, Scope,
    Timeouts, TokenCounter,
};
use footnote::source_document::SourceDocument;
use footnote_knowledge::embedding::Tokenizer;
use futures::StreamExt;
use tokio::time::Instant;
use uuid::Uuid;

use crate::model_server::ModelServer;

/// Retries at once; waits as long as it takes.
pub(crate) fn options(server: &ModelServer) -> OpenAiChatOptions {
    OpenAiChatOptions {
        base_url: server.base_url().to_owned(),
        api_key: None,
        proxy: None,
        model: "scripted".to_owned(),
        prompt: PromptTemplates::load(None, None, Scope::DocumentsOnly).unwrap(),
        budget: PromptBudget {
            tokens: 8192,
            counter: TokenCounter::of_model("scripted", Tokenizer::cautious().unwrap()),
        },
        timeouts: Timeouts::default(),
        retries: Retries { limit: 3, first_delay: Duration::from_millis(1), longest_delay: Duration::from_millis(2) },
    }
}

pub(crate) fn answerer(options: OpenAiChatOptions) -> Answerer {
    Answerer::OpenAi(Box::new(OpenAiChat::new(options).unwrap()))
}

pub(crate) fn client(server: &ModelServer) -> Answerer {
    answerer(options(server))
}

pub(crate) fn question(message: &str) -> Question {
    Question {
        message: message.to_owned(),
        standalone: message.to_owned(),
        history: Vec::new(),
        sources: vec![source(1, "Machine learning lets programs learn from examples.")],
        closeness: None,
    }
}

pub(crate) fn source(n: usize, text: &str) -> SourceDocument {
    SourceDocument {
        n,
        id: Uuid::from_u128(n as u128),
        document_id: Uuid::nil(),
        title: "A primer".to_owned(),
        source: "data/primer.md".to_owned(),
        page: None,
        heading: None,
        start: 0,
        end: text.chars().count(),
        text: text.to_owned(),
        text_truncated: false,
        score: 0.5,
        cited: false,
    }
}

/// Far away: no test is to meet it.
pub(crate) fn far() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

pub(crate) async fn begin(answerer: &Answerer) -> Result<Answer, Error> {
    answerer.answer(question("What is machine learning?"), far()).await
}

/// The pieces of an answer and its completion.
pub(crate) async fn read(mut answer: Answer) -> Result<(Vec<String>, Completion), Error> {
    let mut pieces = Vec::new();
    while let Some(event) = answer.next().await {
        match event? {
            Event::Delta(piece) => pieces.push(piece),
            Event::Done(completion) => {
                assert!(answer.next().await.is_none(), "nothing follows the completion");
                return Ok((pieces, completion));
            }
        }
    }
    panic!("the answer ended without a completion or an error");
}

pub(crate) async fn ask(answerer: &Answerer) -> Result<(Vec<String>, Completion), Error> {
    read(begin(answerer).await?).await
}
