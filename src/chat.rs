//! One turn of chat, from the message to the saved answer. It knows the session manager, retrieval and the model, and
//! nothing of HTTP; how a turn travels to the client is the business of `http`.

pub mod citations;
pub mod history;
mod metrics;
mod request;
mod response;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc::{self, error::SendError};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error_span, info_span};

pub use request::{InvalidQuestion, InvalidTopK, Question, TopK, TurnRequest};
pub use response::{ChatResponse, Timings, TurnEvent};

use crate::llm::{self, Answerer, Completion};
use crate::retrieval::{self, Retrieval, Retrieved};
use crate::sessions::{Loaded, Saved, SessionKey, Sessions, Turn};
use history::History;

/// Answers turns; cheap to clone.
#[derive(Clone)]
pub struct Chat(Arc<Inner>);

struct Inner {
    sessions: Sessions,
    retrieval: Retrieval,
    answerer: Answerer,
    options: ChatOptions,
    /// Turns under way: they outlive the connection they came on, and a shutdown waits for them.
    turns: TaskTracker,
}

#[derive(Debug, Clone, Copy)]
pub struct ChatOptions {
    /// Messages of the conversation that go into the prompt.
    pub history_messages: usize,
    /// Longest time the model may take for one answer.
    pub model_timeout: Duration,
}

/// Why a turn was not answered; it was not saved either.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no passages could be retrieved")]
    Retrieval(#[from] retrieval::Error),
    #[error("the model did not answer")]
    Model(#[from] llm::Error),
}

impl Chat {
    pub fn new(sessions: Sessions, retrieval: Retrieval, answerer: Answerer, options: ChatOptions) -> Self {
        Self(Arc::new(Inner { sessions, retrieval, answerer, options, turns: TaskTracker::new() }))
    }

    /// Begins a turn and returns what is heard of it. The turn is finished and saved even if nobody listens any more.
    pub fn begin(&self, request: TurnRequest) -> mpsc::UnboundedReceiver<TurnEvent> {
        // Unbounded, since a slow listener must not hold up the save; what it can hold is one answer.
        let (events, heard) = mpsc::unbounded_channel();
        let chat = Arc::clone(&self.0);
        // Like the request's: of the highest level, so that a task of its own does not lose the request's id.
        let span = error_span!("turn");
        self.0.turns.spawn(
            async move {
                let last = match chat.turn(request, &events).await {
                    Ok(response) => {
                        metrics::answered(&response);
                        TurnEvent::Done(Box::new(response))
                    }
                    Err(error) => {
                        metrics::failed(&error);
                        TurnEvent::Failed(error)
                    }
                };
                // Nobody listening is no failure of a turn that was saved. Of one that was not, only the log can tell.
                if let Err(SendError(TurnEvent::Failed(error))) = events.send(last) {
                    let cause = format!("{:#}", anyhow::Error::new(error));
                    tracing::warn!(error.cause = cause, "a turn failed after its client had gone, and is not saved");
                }
            }
            .instrument(span),
        );
        heard
    }

    /// Waits until every turn under way has been answered and saved.
    pub async fn finish(&self) {
        self.0.turns.close();
        self.0.turns.wait().await;
    }

    pub fn answerer(&self) -> &Answerer {
        &self.0.answerer
    }
}

impl Inner {
    /// The flow of one turn. A turn that fails at any step before the last leaves no trace in the session.
    async fn turn(
        &self,
        request: TurnRequest,
        events: &mpsc::UnboundedSender<TurnEvent>,
    ) -> Result<ChatResponse, Error> {
        let asked_at = Timestamp::now();
        let mut timings = Timings::default();

        let session = self.load_session(&request.session, &mut timings).await;
        let history = self.format_history(&session, request.use_history);
        let mut retrieved = self.retrieve(&request, &history, &mut timings).await?;
        let user_id = request.session.id().to_owned();
        let _ = events.send(TurnEvent::Sources { user_id, source_documents: retrieved.sources.clone() });
        let answer = self.ask_model(&request, &history, &retrieved, events, &mut timings).await?;
        let citations = citations::check(&answer.text, &mut retrieved.sources).citations;

        let question = request.question.as_str().to_owned();
        let turn = Turn::new(asked_at, question, Timestamp::now(), answer.text.clone(), retrieved.sources.clone());
        let turn_id = turn.turn_id;
        let saved = self.save_turn(&request.session, &session, turn, &mut timings).await;

        Ok(ChatResponse {
            response: answer.text,
            source_documents: retrieved.sources,
            user_id: request.session.id().to_owned(),
            conversation_length: saved.conversation_length,
            session_persisted: saved.persisted,
            backend: saved.backend,
            turn_id,
            answered_by: self.answerer.name().to_owned(),
            abstained: answer.completion.abstained,
            standalone_question: retrieved.question.question,
            citations,
            history: history.used,
            usage: answer.completion.usage,
            timings_ms: timings,
        })
    }

    async fn load_session(&self, session: &SessionKey, timings: &mut Timings) -> Loaded {
        timed(&mut timings.session, self.sessions.load(session)).instrument(info_span!("session")).await
    }

    /// The newest messages, or none when the client asked for none.
    fn format_history(&self, session: &Loaded, use_history: bool) -> History {
        let messages = if use_history { self.options.history_messages } else { 0 };
        History::newest(session, messages)
    }

    async fn retrieve(
        &self,
        request: &TurnRequest,
        history: &History,
        timings: &mut Timings,
    ) -> Result<Retrieved, retrieval::Error> {
        let retrieved = self
            .retrieval
            .retrieve(request.question.as_str(), &history.user_messages(), &request.filter, request.top_k.get())
            .instrument(info_span!("retrieve"))
            .await?;
        timings.embed = milliseconds(retrieved.embed);
        timings.search = milliseconds(retrieved.search);
        Ok(retrieved)
    }

    /// The whole answer, its pieces told to the listener as they come.
    async fn ask_model(
        &self,
        request: &TurnRequest,
        history: &History,
        retrieved: &Retrieved,
        events: &mpsc::UnboundedSender<TurnEvent>,
        timings: &mut Timings,
    ) -> Result<Answer, llm::Error> {
        let question = llm::Question {
            message: request.question.as_str().to_owned(),
            standalone: retrieved.question.question.clone(),
            history: history.messages.clone(),
            sources: retrieved.sources.clone(),
        };
        let deadline = tokio::time::Instant::now() + self.options.model_timeout;
        let answering = async {
            let mut text = String::new();
            let mut stream = self.answerer.answer(question, deadline).await?;
            while let Some(event) = stream.next().await {
                match event? {
                    llm::Event::Delta(delta) => {
                        text.push_str(&delta);
                        let _ = events.send(TurnEvent::Delta(delta));
                    }
                    llm::Event::Done(completion) => return Ok(Answer { text, completion }),
                }
            }
            Err(llm::Error::Interrupted("the answer ended without its last event".into()))
        };
        timed(&mut timings.llm, answering).instrument(info_span!("llm")).await
    }

    async fn save_turn(&self, key: &SessionKey, session: &Loaded, turn: Turn, timings: &mut Timings) -> Saved {
        timed(&mut timings.save, self.sessions.append(key, session.seen, turn)).instrument(info_span!("save")).await
    }
}

/// What the model said.
struct Answer {
    text: String,
    completion: Completion,
}

/// Runs `step` and notes the milliseconds it took.
async fn timed<Output>(milliseconds_taken: &mut f64, step: impl Future<Output = Output>) -> Output {
    let started = Instant::now();
    let output = step.await;
    *milliseconds_taken = milliseconds(started.elapsed());
    output
}

/// Rounded to a microsecond, which is as much as a reader of the response can use.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
