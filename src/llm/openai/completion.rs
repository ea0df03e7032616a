//! Reading a streamed chat completion: its chunks as the many servers write them, and when it is complete.

use std::time::Duration;

use async_openai::types::stream::StreamResponse;
use futures::StreamExt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::transport;
use crate::llm::{Completion, Error, Event, Finish, Usage, abstention};

/// More than any model writes; a server that never stops must not fill the memory.
const LONGEST_ANSWER_BYTES: usize = 1 << 20;

/// How long the token counts may lag behind the end of the answer; they are not worth a longer wait.
const PATIENCE_FOR_USAGE: Duration = Duration::from_secs(1);

/// One `data:` of the stream. Every field is optional and unknown ones are ignored: servers omit `usage`, send it in
/// each chunk or alone, put `reasoning_content` beside `content`, and invent reasons to finish.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<ChunkUsage>,
    /// Sent instead of choices when the model fails after the response has begun.
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<Text>,
    refusal: Option<String>,
}

/// Text, or something else that some servers send as content while the model thinks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Other(IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct ChunkUsage {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
}

pub(super) struct StreamedCompletion {
    chunks: StreamResponse<Chunk>,
    /// When the first chunk must be there.
    first_by: Instant,
    between_tokens: Duration,
    deadline: Instant,
    answer: String,
    usage: Usage,
    finish: Option<Finish>,
    received_any: bool,
    done: bool,
}

impl StreamedCompletion {
    pub(super) fn new(
        chunks: StreamResponse<Chunk>,
        first_by: Instant,
        between_tokens: Duration,
        deadline: Instant,
    ) -> Self {
        Self {
            chunks,
            first_by,
            between_tokens,
            deadline,
            answer: String::new(),
            usage: Usage::default(),
            finish: None,
            received_any: false,
            done: false,
        }
    }

    /// The next piece of the answer, then its completion, then nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Error> {
        if self.done {
            return Ok(None);
        }
        loop {
            match self.next_chunk().await {
                Ok(Some(chunk)) => {
                    let piece = self.take(chunk)?;
                    if !piece.is_empty() {
                        return Ok(Some(Event::Delta(piece)));
                    }
                }
                Ok(None) => return self.complete().map(Some),
                // The answer was complete; only its token counts are missing.
                Err(_) if self.finish.is_some() => return self.complete().map(Some),
                Err(error) => return Err(error),
            }
        }
    }

    async fn next_chunk(&mut self) -> Result<Option<Chunk>, Error> {
        // Counted from now, not from the last chunk: a slow reader is not the model's silence.
        let waiting_since = Instant::now();
        let next_by = match (self.finish, self.received_any) {
            (Some(_), _) => waiting_since + PATIENCE_FOR_USAGE,
            (None, true) => waiting_since + self.between_tokens,
            (None, false) => self.first_by,
        };
        tokio::time::timeout_at(next_by.min(self.deadline), self.chunks.next())
            .await
            .map_err(|_| Error::Timeout { silence: waiting_since.elapsed() })?
            .transpose()
            .map_err(transport::error)
    }

    /// The text of a chunk; counts and the reason to finish are kept.
    fn take(&mut self, chunk: Chunk) -> Result<String, Error> {
        if let Some(error) = chunk.error {
            let cause = format!("the endpoint reports {error}").into();
            return Err(if self.answer.is_empty() { Error::Unavailable(cause) } else { Error::Interrupted(cause) });
        }
        if let Some(usage) = chunk.usage {
            self.usage.prompt_tokens = usage.prompt_tokens.unwrap_or(self.usage.prompt_tokens);
            self.usage.completion_tokens = usage.completion_tokens.unwrap_or(self.usage.completion_tokens);
        }
        self.received_any |= chunk.choices.is_some();
        let mut piece = String::new();
        for choice in chunk.choices.into_iter().flatten() {
            let Delta { content, refusal } = choice.delta.unwrap_or(Delta { content: None, refusal: None });
            if let Some(Text::Text(text)) = content {
                piece.push_str(&text);
            }
            piece.push_str(refusal.as_deref().unwrap_or_default());
            if let Some(reason) = choice.finish_reason {
                self.finish = Some(finish(&reason));
            }
        }
        self.answer.push_str(&piece);
        if self.answer.len() > LONGEST_ANSWER_BYTES {
            return Err(Error::InvalidResponse("the answer is longer than 1 MiB".into()));
        }
        Ok(piece)
    }

    /// Only a chunk that says why the model stopped makes an answer complete: a stream that just ends was cut.
    fn complete(&mut self) -> Result<Event, Error> {
        let Some(finish) = self.finish else {
            return Err(match self.received_any {
                true => Error::Interrupted("the stream ended without a reason to finish".into()),
                false => Error::InvalidResponse("no event of a chat completion".into()),
            });
        };
        if self.answer.trim().is_empty() {
            return Err(Error::InvalidResponse(format!("an empty answer, finished as {finish:?}").into()));
        }
        self.done = true;
        let abstained = abstention::is_abstention(&self.answer);
        Ok(Event::Done(Completion { usage: self.usage, abstained, support: None, finish }))
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "length" | "max_tokens" => Finish::TokenLimit,
        "content_filter" => Finish::Filtered,
        // `stop`, and whatever else a server calls an end of its own choosing.
        _ => Finish::Complete,
    }
}
