//! What answers a question from its sources: a remote model ([`OpenAiChat`]) or the sources' own sentences
//! ([`Extractive`]), behind one stream of events.
//!
//! The prompt of a remote model is in [`prompt`], the sentence that says "not in the documents" in [`abstention`].
//! Which sources and which part of the conversation an answer gets is decided by `retrieval` and `chat`; whether its
//! citations hold is checked by `chat`.

pub mod abstention;
mod budget;
mod condense;
mod error;
mod extractive;
mod openai;
pub mod prompt;
mod tokens;

use std::fmt;
use std::ops::AddAssign;

use futures::stream::BoxStream;
use serde::Serialize;
use tokio::time::Instant;

pub use budget::{ContextUse, PromptBudget};
pub use error::{Cause, Error};
pub use extractive::Extractive;
pub use openai::{InvalidOptions, OpenAiChat, OpenAiChatOptions, Retries, Timeouts};
pub use tokens::TokenCounter;

use crate::source_document::SourceDocument;

/// Everything an answer is made from.
#[derive(Debug, Clone)]
pub struct Question {
    /// As the user typed it.
    pub message: String,
    /// The same question, understandable without the conversation.
    pub standalone: String,
    /// The part of the conversation to show a model, oldest first; already cut to size.
    pub history: Vec<Message>,
    /// Numbered from 1, best first.
    pub sources: Vec<SourceDocument>,
    /// The cosine of the question and the nearest of all passages, by the built-in model; none where it is not known.
    pub closeness: Option<f32>,
}

/// What an answer may be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// From the documents, or it says that they do not contain one.
    DocumentsOnly,
    /// From elsewhere, too, where they do not: what a model knows, or whatever is nearest to the question.
    DocumentsFirst,
}

/// One earlier message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

/// The events of one answer: any number of deltas, then exactly one `Done`, unless an error ends it.
pub type Answer = BoxStream<'static, Result<Event, Error>>;

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The next piece of the answer; the pieces joined are the answer. Never empty.
    Delta(String),
    Done(Completion),
}

/// What is known of an answer once it is complete.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Completion {
    pub usage: Usage,
    /// The answer says that the documents do not contain one.
    pub abstained: bool,
    /// How well the sources support an answer, 0 to 1, where the answerer measures it; comparable between questions.
    pub support: Option<f32>,
    pub finish: Finish,
}

/// Tokens, as the model counted them; zero where it does not say, and for the extractive answerer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
    }
}

/// What a model made of a message that depends on the conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condensed {
    /// None if its reply was no question.
    pub question: Option<String>,
    pub usage: Usage,
}

/// Why the answer ended, by the names that OpenAI's API gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Finish {
    /// It said what it had to say.
    #[serde(rename = "stop")]
    Complete,
    /// The model reached its limit of tokens: the answer is all there is, and it is cut.
    #[serde(rename = "length")]
    TokenLimit,
    /// The endpoint's content filter ended it.
    #[serde(rename = "content_filter")]
    Filtered,
}

impl fmt::Display for Finish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Complete => "stop",
            Self::TokenLimit => "length",
            Self::Filtered => "content_filter",
        })
    }
}

/// The closed set of what can answer.
#[derive(Debug, Clone)]
pub enum Answerer {
    Extractive(Extractive),
    OpenAi(Box<OpenAiChat>),
}

impl Answerer {
    /// `answered_by` of the response: `extractive` or the model's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Extractive(_) => Extractive::NAME,
            Self::OpenAi(model) => model.model(),
        }
    }

    /// The message as a question of its own, as a model puts it; none where no model is asked.
    pub async fn condense(
        &self,
        history: &[Message],
        message: &str,
        deadline: Instant,
    ) -> Result<Option<Condensed>, Error> {
        match self {
            Self::Extractive(_) => Ok(None),
            Self::OpenAi(model) => model.condense(history, message, deadline).await.map(Some),
        }
    }

    /// The question with no more sources and messages than a model reads, and what was left out; none where nothing is
    /// sent.
    pub async fn fit(&self, question: Question) -> Result<(Question, Option<ContextUse>), Error> {
        match self {
            Self::Extractive(_) => Ok((question, None)),
            Self::OpenAi(model) => model.fit(question).await.map(|(question, left_out)| (question, Some(left_out))),
        }
    }

    /// What a model is sent for this question; none of the extractive answerer, which is sent nothing.
    pub fn prompt(&self, question: &Question) -> Option<prompt::Prompt> {
        match self {
            Self::Extractive(_) => None,
            Self::OpenAi(model) => Some(model.prompt(question)),
        }
    }

    /// Returns when the first piece of the answer is there; everything that can be tried again has been tried by then.
    /// Dropping the stream ends the request to the model.
    pub async fn answer(&self, question: Question, deadline: Instant) -> Result<Answer, Error> {
        match self {
            Self::Extractive(extractive) => extractive.answer(question, deadline).await,
            Self::OpenAi(model) => model.answer(question, deadline).await,
        }
    }

    /// Whether an answer could be had now: the endpoint is reached and accepts the key.
    pub async fn check(&self) -> Result<(), Error> {
        match self {
            Self::Extractive(_) => Ok(()),
            Self::OpenAi(model) => model.check().await,
        }
    }
}
