//! Why there is no answer. Each kind is one that `chat` treats or a client sees differently.

use std::time::Duration;

use crate::llm::Finish;

/// What happened below, for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, or the endpoint failed by itself (5xx), also when tried again.
    #[error("the model endpoint cannot be reached or fails")]
    Unavailable(#[source] Cause),

    /// The deadline passed, or the model fell silent for too long.
    #[error("the model did not answer in time: nothing for {} ms", .silence.as_millis())]
    Timeout { silence: Duration },

    #[error("the model endpoint limits the rate of requests")]
    RateLimited {
        /// How long the endpoint asks to wait.
        retry_after: Option<Duration>,
        #[source]
        cause: Cause,
    },

    /// The endpoint understood and refuses: the key, the model's name, the quota, or something about the request.
    #[error("the model endpoint rejects the request")]
    Rejected(#[source] Cause),

    /// Sources, conversation and question are together longer than the model can read.
    #[error("the prompt is longer than the model's context")]
    TooLong(#[source] Cause),

    /// There is no room for a source beside instructions and question.
    #[error("instructions and question have {tokens} tokens of the {limit} allowed")]
    QuestionTooLong { tokens: usize, limit: usize },

    /// What came is not a chat completion.
    #[error("the model endpoint's response cannot be understood")]
    InvalidResponse(#[source] Cause),

    /// The model ended in good order and had not said a word.
    #[error("the model gave an empty answer ({0})")]
    Empty(Finish),

    /// The answer began and broke off: half an answer is an error, never a short answer.
    #[error("the model's answer broke off")]
    Interrupted(#[source] Cause),

    /// The sentences of the sources could not be compared with the question.
    #[error("the question cannot be compared with the sources")]
    Embedding(#[source] Cause),
}
