//! Reading a streamed chat completion: its chunks as the many servers write them, and when it is complete.

use std::time::Duration;

use footnote_knowledge::openai_endpoint::Refusal;
use futures::StreamExt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::events::Events;
use crate::llm::{Completion, Error, Event, Finish, Usage, abstention};

/// More than any model writes; a server that never stops must not fill the memory.
const LONGEST_ANSWER_BYTES: usize = 1 << 20;

/// How long the token counts may lag behind the end of the answer; they are not worth a longer wait.
const PATIENCE_FOR_USAGE: Duration = Duration::from_secs(1);

/// One `data:` of the stream. Every field is optional and unknown ones are ignored: servers omit `usage`, send it in
/// each chunk or alone, put `reasoning_content` beside `content`, and invent reasons to finish.
#[derive(Debug, Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<ChunkUsage>,
    /// Sent instead of choices when the model fails after the response has begun.
    error: Option<serde_json::Value>,
}

impl Chunk {
    fn parse(data: &str) -> Result<Self, Error> {
        serde_json::from_str(data).map_err(|error| {
            // The parser's own words quote the conversation, and would be in the log.
            let place = format!("not a chunk: {:?} error at column {}", error.classify(), error.column());
            Error::InvalidResponse(place.into())
        })
    }
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
    events: Events,
    between_tokens: Duration,
    deadline: Instant,
    answer: String,
    usage: Usage,
    finish: Option<Finish>,
    received_any: bool,
    done: bool,
}

impl StreamedCompletion {
    pub(super) fn new(events: Events, between_tokens: Duration, deadline: Instant) -> Self {
        Self {
            events,
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
        let next_by = match self.finish {
            Some(_) => waiting_since + PATIENCE_FOR_USAGE,
            // Thinking takes its time, and not every server sends the thoughts.
            None if self.answer.is_empty() => self.deadline,
            None => waiting_since + self.between_tokens,
        };
        tokio::time::timeout_at(next_by.min(self.deadline), self.events.next())
            .await
            .map_err(|_| Error::Timeout { silence: waiting_since.elapsed() })?
            .map(|data| Chunk::parse(&data?))
            .transpose()
    }

    /// The text of a chunk; counts and the reason to finish are kept.
    fn take(&mut self, chunk: Chunk) -> Result<String, Error> {
        if let Some(error) = chunk.error {
            let refusal = Refusal::of_event(&error);
            return Err(if self.answer.is_empty() { refusal.into() } else { Error::Interrupted(refusal.into()) });
        }
        if let Some(usage) = chunk.usage {
            self.usage.prompt_tokens = usage.prompt_tokens.unwrap_or(self.usage.prompt_tokens);
            self.usage.completion_tokens = usage.completion_tokens.unwrap_or(self.usage.completion_tokens);
        }
        self.received_any |= chunk.choices.is_some();
        let mut piece = String::new();
        let mut ended = None;
        for choice in chunk.choices.into_iter().flatten() {
            let Delta { content, refusal } = choice.delta.unwrap_or(Delta { content: None, refusal: None });
            if let Some(Text::Text(text)) = content {
                piece.push_str(&text);
            }
            piece.push_str(refusal.as_deref().unwrap_or_default());
            ended = choice.finish_reason.or(ended);
        }
        self.answer.push_str(&piece);
        if self.answer.len() > LONGEST_ANSWER_BYTES {
            return Err(Error::InvalidResponse("the answer is longer than 1 MiB".into()));
        }
        match ended.as_deref().map(ending) {
            None | Some(Ending::NotYet) => {}
            Some(Ending::Finish(finish)) => self.finish = Some(finish),
            Some(Ending::Failure) if self.answer.is_empty() => return Err(Error::Unavailable(GAVE_UP.into())),
            Some(Ending::Failure) => return Err(Error::Interrupted(GAVE_UP.into())),
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
            return Err(Error::Empty(finish));
        }
        self.done = true;
        let abstained = abstention::is_abstention(&self.answer);
        Ok(Event::Done(Completion { usage: self.usage, abstained, support: None, finish }))
    }
}

const GAVE_UP: &str = "the endpoint ended the answer because it failed";

/// What a server's reason to finish says of the answer.
enum Ending {
    /// Some servers write a reason into every chunk, and this into all but the last.
    NotYet,
    Finish(Finish),
    /// The request was given up: what there is of the answer is not the answer.
    Failure,
}

fn ending(reason: &str) -> Ending {
    match reason.to_lowercase().as_str() {
        "" | "null" => Ending::NotYet,
        "length" | "max_tokens" | "model_length" => Ending::Finish(Finish::TokenLimit),
        "content_filter" | "safety" | "sensitive" | "refusal" => Ending::Finish(Finish::Filtered),
        "abort"
        | "aborted"
        | "cancel"
        | "cancelled"
        | "canceled"
        | "error"
        | "failed"
        | "network_error"
        | "timeout"
        | "insufficient_system_resource" => Ending::Failure,
        // `stop`, and whatever else a server calls an end of its own choosing.
        _ => Ending::Finish(Finish::Complete),
    }
}
