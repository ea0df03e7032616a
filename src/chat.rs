//! One turn of chat, from the message to the saved answer. It knows the session manager, retrieval and the model, and
//! nothing of HTTP; how a turn travels to the client is the business of `http`.

pub mod answer;
pub mod citations;
mod explanation;
pub mod history;
mod metrics;
mod request;
mod response;

use std::sync::Arc;
use std::time::{Duration, Instant};

use footnote_knowledge::collection::SearchMode;
use futures::channel::mpsc;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error_span, info_span};

pub use explanation::Explanation;
pub use request::{InvalidQuestion, Question, TopK, TurnRequest};
pub use response::{ChatResponse, Timings, TurnEvent};

use crate::llm::{self, Answerer, Condensed, ContextUse};
use crate::retrieval::{self, Retrieval, Retrieved};
use crate::sessions::{Backend, Loaded, Reservation, Reserved, Saved, SessionKey, Sessions, Turn};
use answer::Answer;
use history::{History, HistoryUse, HistoryWindow};

/// How much longer than the model a turn may take. An idempotency key is held for both.
const BESIDE_THE_MODEL: Duration = Duration::from_secs(60);

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
    abandoned: CancellationToken,
}

#[derive(Clone)]
pub struct ChatOptions {
    /// How much of the conversation goes into the prompt.
    pub history: HistoryWindow,
    /// Longest time the model may take for one answer.
    pub model_timeout: Duration,
    /// Longest time it may take to rewrite a follow-up question; zero leaves that to the rules.
    pub condense_timeout: Duration,
}

/// Why a turn was not answered; it was not saved either.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no passages could be retrieved")]
    Retrieval(#[from] retrieval::Error),
    #[error("the model did not answer")]
    Model(#[from] llm::Error),
    #[error("the same request is being answered")]
    InFlight,
    #[error("another request had this idempotency key")]
    OtherRequest,
    #[error("the server is stopping")]
    Stopping,
    #[error("the stored answer to this request is unreadable")]
    UnreadableAnswer(#[source] serde_json::Error),
}

impl Chat {
    pub fn new(sessions: Sessions, retrieval: Retrieval, answerer: Answerer, options: ChatOptions) -> Self {
        let (turns, abandoned) = (TaskTracker::new(), CancellationToken::new());
        Self(Arc::new(Inner { sessions, retrieval, answerer, options, turns, abandoned }))
    }

    /// Begins a turn and returns what is heard of it. The turn is finished and saved even if nobody listens any more.
    pub fn begin(&self, request: TurnRequest) -> mpsc::UnboundedReceiver<TurnEvent> {
        // Unbounded, since a slow listener must not hold up the save; what it can hold is one answer. Tokio's takes 3 KB
        // while it is empty, which it is while a model answers.
        let (events, heard) = mpsc::unbounded();
        let chat = Arc::clone(&self.0);
        // Like the request's: of the highest level, so that a task of its own does not lose the request's id.
        let span = error_span!("turn");
        self.0.turns.spawn(
            async move {
                let last = match chat.answer_once(&request, &events).await {
                    Ok(Outcome::Answered(response)) => {
                        metrics::answered(&response);
                        TurnEvent::Done(response)
                    }
                    Ok(Outcome::Replayed(response)) => {
                        metrics::replayed();
                        TurnEvent::Replayed(response)
                    }
                    Err(error) => {
                        metrics::failed(&error);
                        TurnEvent::Failed(error)
                    }
                };
                // Nobody listening is no failure of a turn that was saved. Of one that was not, only the log can tell.
                if let Err(unheard) = events.unbounded_send(last)
                    && let TurnEvent::Failed(error) = unheard.into_inner()
                {
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

    /// Ends the turns that wait for the model; whoever listens is told. Returns how many were not finished.
    pub fn abandon(&self) -> usize {
        self.0.abandoned.cancel();
        self.0.turns.len()
    }

    pub fn answerer(&self) -> &Answerer {
        &self.0.answerer
    }
}

impl Inner {
    /// A turn, unless its request came before under the same idempotency key.
    async fn answer_once(
        &self,
        request: &TurnRequest,
        events: &mpsc::UnboundedSender<TurnEvent>,
    ) -> Result<Outcome, Error> {
        let Some(idempotency) = &request.idempotency else {
            return self.turn(request, None, events).await.map(Outcome::Answered);
        };
        let life = self.options.model_timeout.saturating_add(BESIDE_THE_MODEL);
        let reserved = match self.sessions.reserve(&request.session, idempotency, life).await {
            Reservation::Reserved(reserved) => reserved,
            Reservation::InFlight => return Err(Error::InFlight),
            Reservation::OtherRequest => return Err(Error::OtherRequest),
            Reservation::Answered { response, saved } => {
                let response = response::replayed(&response, saved).map_err(Error::UnreadableAnswer)?;
                return Ok(Outcome::Replayed(Box::new(response)));
            }
        };
        match self.turn(request, Some(&reserved), events).await {
            Ok(response) => Ok(Outcome::Answered(response)),
            Err(error) => {
                self.sessions.release(&reserved).await;
                Err(error)
            }
        }
    }

    /// The flow of one turn. A turn that fails at any step before it is saved leaves no trace in the session.
    ///
    /// The steps are boxed: a turn waits for its model most of the time, and should not be as large then as its largest
    /// step.
    async fn turn(
        &self,
        request: &TurnRequest,
        reserved: Option<&Reserved>,
        events: &mpsc::UnboundedSender<TurnEvent>,
    ) -> Result<Box<ChatResponse>, Error> {
        let asked_at = Timestamp::now();
        let mut timings = Timings::default();

        let session = self.load_session(&request.session, &mut timings).await;
        let mut history = History::of(&session, &self.options.history, request.use_history).await;
        let rewritten = self.rewrite(request, &history, &mut timings).await;
        let mut retrieved = self.retrieve(request, rewritten.question.as_deref(), &history, &mut timings).await?;
        let shown = std::mem::take(&mut history.messages);
        let (question, context) =
            answer::question(&self.answerer, request.question.as_str(), shown, &mut retrieved).await?;
        history.used.leave_out(context.map_or(0, |context| context.messages_dropped));
        let user_id = request.session.id().to_owned();
        let _ = events.unbounded_send(TurnEvent::Sources { user_id, source_documents: retrieved.sources.clone() });
        // Hundreds of them, which nobody needs while a model answers.
        let candidates = std::mem::take(&mut retrieved.considered);
        let explanation = request.explain.then(|| {
            let prompt = self.answerer.prompt(&question);
            Explanation::of(&retrieved, candidates, prompt)
        });
        // Only here: a turn is not to be left in the middle of being saved.
        let asking = self.ask_model(question, events, &mut timings);
        let mut answer = self.abandoned.run_until_cancelled(asking).await.ok_or(Error::Stopping)??;
        answer.completion.usage += rewritten.usage;
        let answered = Answered { asked_at, session, history: history.used, retrieved, context, answer, timings };
        let mut response = Box::pin(self.finish_turn(request, reserved, answered)).await;
        // Not with the stored answer: it is about this run, and many times as long.
        response.explain = explanation;
        Ok(response)
    }

    /// Checks the answer's citations and saves the turn.
    async fn finish_turn(
        &self,
        request: &TurnRequest,
        reserved: Option<&Reserved>,
        answered: Answered,
    ) -> Box<ChatResponse> {
        let Answered { asked_at, session, history, mut retrieved, context, answer, timings } = answered;
        let checked = answer::check_citations(&answer.text, &mut retrieved.sources, &self.retrieval).await;

        let question = request.question.as_str().to_owned();
        let mut turn = Turn::new(asked_at, question, Timestamp::now(), answer.text.clone(), retrieved.sources.clone());
        let mut response = Box::new(ChatResponse {
            response: answer.text,
            source_documents: retrieved.sources,
            user_id: request.session.id().to_owned(),
            // Until it is saved.
            conversation_length: session.length,
            session_persisted: false,
            backend: Backend::Memory,
            turn_id: turn.turn_id,
            answered_by: self.answerer.name().to_owned(),
            finish_reason: answer.completion.finish,
            abstained: answer.completion.abstained,
            standalone_question: retrieved.question.question,
            citations: checked.citations,
            uncited: if answer.completion.abstained { Vec::new() } else { checked.uncited },
            removed_markers: answer.removed_markers,
            reranked: self.retrieval.reranker().map(|_| retrieved.reranked),
            history,
            context,
            usage: answer.completion.usage,
            timings_ms: timings,
            explain: None,
        });
        turn.stored_answer = reserved.map(|reserved| reserved.answer(response.to_stored(turn.sources())));

        let saved = self.save_turn(&request.session, &session, turn, &mut response.timings_ms).await;
        response.conversation_length = saved.conversation_length;
        response.session_persisted = saved.persisted;
        response.backend = saved.backend;
        if saved.lost
            && let Some(reserved) = reserved
        {
            self.sessions.release(reserved).await;
        }
        response
    }

    async fn load_session(&self, session: &SessionKey, timings: &mut Timings) -> Loaded {
        timed(&mut timings.session, Box::pin(self.sessions.load(session))).instrument(info_span!("session")).await
    }

    /// A message that depends on the conversation as a question of its own, by the model if there is one. Where it does
    /// not manage in time, the rules of retrieval do.
    async fn rewrite(&self, request: &TurnRequest, history: &History, timings: &mut Timings) -> Condensed {
        let message = request.question.as_str();
        let patience = self.options.condense_timeout;
        if patience.is_zero() || !retrieval::standalone(message, &history.said()).depends {
            return Condensed::default();
        }
        let deadline = tokio::time::Instant::now() + patience;
        let condensing = Box::pin(self.answerer.condense(&history.messages, message, deadline));
        let condensed = timed(&mut timings.condense, tokio::time::timeout_at(deadline, condensing));
        match condensed.instrument(info_span!("condense")).await {
            Ok(Ok(None)) => Condensed::default(),
            Ok(Ok(Some(condensed))) => {
                if condensed.question.is_none() {
                    tracing::warn!("what the model made of a follow-up question is no question; rules rewrote it");
                }
                condensed
            }
            Ok(Err(error)) => {
                let cause = format!("{:#}", anyhow::Error::new(error));
                tracing::warn!(error.cause = cause, "the model did not rewrite a follow-up question; rules did");
                Condensed::default()
            }
            Err(_) => {
                tracing::warn!("the model did not rewrite a follow-up question in time; rules did");
                Condensed::default()
            }
        }
    }

    async fn retrieve(
        &self,
        request: &TurnRequest,
        rewritten: Option<&str>,
        history: &History,
        timings: &mut Timings,
    ) -> Result<Retrieved, retrieval::Error> {
        let wanted = retrieval::Request {
            message: request.question.as_str(),
            rewritten,
            earlier: &history.said(),
            wanted: retrieval::Wanted {
                filter: &request.filter,
                limit: request.top_k.get(),
                mode: SearchMode::Hybrid,
                selection: request.selection,
            },
        };
        let retrieved = Box::pin(self.retrieval.retrieve(wanted)).instrument(info_span!("retrieve")).await?;
        timings.embed = milliseconds(retrieved.times.embed);
        timings.search = milliseconds(retrieved.times.search);
        timings.rerank = milliseconds(retrieved.times.rerank);
        Ok(retrieved)
    }

    /// The whole answer, its pieces told to the listener as they come.
    async fn ask_model(
        &self,
        question: llm::Question,
        events: &mpsc::UnboundedSender<TurnEvent>,
        timings: &mut Timings,
    ) -> Result<Answer, llm::Error> {
        let tell = |piece| {
            let _ = events.unbounded_send(TurnEvent::Delta(piece));
        };
        let reading = Box::pin(Answer::read(&self.answerer, question, self.options.model_timeout, tell));
        timed(&mut timings.llm, reading).instrument(info_span!("llm")).await
    }

    async fn save_turn(&self, key: &SessionKey, session: &Loaded, turn: Turn, timings: &mut Timings) -> Saved {
        let appending = Box::pin(self.sessions.append(key, session.seen, turn));
        timed(&mut timings.save, appending).instrument(info_span!("save")).await
    }
}

/// What a turn has come to with the model's last word.
struct Answered {
    asked_at: Timestamp,
    session: Loaded,
    history: HistoryUse,
    retrieved: Retrieved,
    context: Option<ContextUse>,
    answer: Answer,
    timings: Timings,
}

/// How a request was answered.
enum Outcome {
    Answered(Box<ChatResponse>),
    Replayed(Box<Value>),
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
