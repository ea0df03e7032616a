//! `POST /chat`: one JSON answer, or the same answer as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use footnote_knowledge::collection::Filter;
use futures::channel::mpsc::UnboundedReceiver;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::body::{JsonBody, JsonObject};
use super::error::ApiError;
use super::observe::ObservedRequest;
use super::{AppState, path, selection};
use crate::chat::{Question, TopK, TurnEvent, TurnRequest};
use crate::sessions::{IdempotencyKey, IdempotentRequest};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatBody {
    message: String,
    #[serde(default)]
    user_id: Option<String>,
    /// The other name of `user_id`.
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    use_history: Option<bool>,
    #[serde(default)]
    top_k: Option<TopK>,
    #[serde(default)]
    filter: Option<JsonObject<Filter>>,
    #[serde(default)]
    score_threshold: Option<f32>,
    #[serde(default)]
    mmr: Option<f32>,
    #[serde(default)]
    explain: Option<bool>,
}

impl ChatBody {
    fn into_turn(self, headers: &HeaderMap) -> Result<TurnRequest, ApiError> {
        let idempotency = self.idempotency(headers)?;
        let (field, id) = match (self.user_id, self.session_id) {
            (Some(_), Some(_)) => {
                let detail = "`session_id` is another name for `user_id`; send one of them";
                return Err(ApiError::invalid_field("session_id", detail));
            }
            (None, Some(id)) => ("session_id", id),
            (id, None) => ("user_id", id.unwrap_or_else(|| Uuid::new_v4().to_string())),
        };
        Ok(TurnRequest {
            question: Question::parse(self.message)
                .map_err(|error| ApiError::invalid_field("message", format!("`message` {error}")))?,
            session: path::session_key(field, &id)?,
            use_history: self.use_history.unwrap_or(true),
            top_k: self.top_k.unwrap_or_default(),
            filter: self.filter.map(|JsonObject(filter)| filter).unwrap_or_default(),
            selection: selection::parse(self.score_threshold, self.mmr)?,
            idempotency,
            explain: self.explain.unwrap_or_default(),
        })
    }

    fn idempotency(&self, headers: &HeaderMap) -> Result<Option<IdempotentRequest>, ApiError> {
        let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
        let invalid = |reason: &str| ApiError::invalid_field("Idempotency-Key", format!("`Idempotency-Key` {reason}"));
        let key = key.to_str().map_err(|_| invalid("has characters outside ASCII; send visible ASCII"))?;
        let key = IdempotencyKey::parse(key).map_err(|error| invalid(&error.to_string()))?;
        if self.user_id.is_none() && self.session_id.is_none() {
            let detail = "an Idempotency-Key belongs to a conversation; send `user_id` with it";
            return Err(ApiError::invalid_field("user_id", detail));
        }
        Ok(Some(IdempotentRequest { key, digest: self.digest() }))
    }

    /// Of all that makes the answer: whether it is streamed or explained does not.
    fn digest(&self) -> String {
        let Self {
            message,
            user_id,
            session_id,
            stream: _,
            use_history,
            top_k,
            filter,
            score_threshold,
            mmr,
            explain: _,
        } = self;
        let user_id = user_id.as_ref().or(session_id.as_ref());
        let filter = filter.as_ref().map(|JsonObject(filter)| filter);
        let parts = json!([message, user_id, use_history, top_k, filter, score_threshold, mmr]);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, parts.to_string().as_bytes()).to_string()
    }
}

pub(super) async fn post(
    State(app): State<AppState>,
    Extension(observed): Extension<ObservedRequest>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChatBody>,
) -> Result<Response, ApiError> {
    let streams = body.stream.unwrap_or_else(|| accepts_events(&headers));
    let events = app.chat.begin(body.into_turn(&headers)?);
    if streams { stream(events, observed, app.patience.silence).await } else { answer(events).await }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_wanted = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"));
        let weight = parts.find_map(|parameter| parameter.strip_prefix("q=")?.parse::<f32>().ok());
        is_wanted && weight != Some(0.0)
    })
}

/// The whole answer at once.
async fn answer(mut events: UnboundedReceiver<TurnEvent>) -> Result<Response, ApiError> {
    while let Some(event) = events.next().await {
        match event {
            TurnEvent::Sources { .. } | TurnEvent::Delta(_) => {}
            TurnEvent::Done(response) => return Ok(Json(response).into_response()),
            TurnEvent::Replayed(response) => return Ok((is_replayed(), Json(response)).into_response()),
            TurnEvent::Failed(error) => return Err(error.into()),
        }
    }
    Err(turn_lost())
}

/// Says that the answer was given before.
fn is_replayed() -> [(HeaderName, &'static str); 1] {
    [(IDEMPOTENCY_REPLAYED, "true")]
}

/// For proxies that would rather wait for the whole answer.
const NO_BUFFERING: [(HeaderName, &str); 1] = [(HeaderName::from_static("x-accel-buffering"), "no")];

/// `sources`, `delta`…, then `done` or `error`. What fails before there are sources is an ordinary error response,
/// which every client understands.
async fn stream(
    mut events: UnboundedReceiver<TurnEvent>,
    observed: ObservedRequest,
    longest_silence: Duration,
) -> Result<Response, ApiError> {
    let first = match events.next().await {
        Some(TurnEvent::Failed(error)) => return Err(error.into()),
        Some(TurnEvent::Replayed(response)) => {
            let frames = futures::stream::iter(replayed_frames(&response).map(Ok::<_, Infallible>));
            return Ok((is_replayed(), NO_BUFFERING, Sse::new(frames)).into_response());
        }
        Some(event) => event,
        None => return Err(turn_lost()),
    };
    let frames = frames(first, events, observed);
    let pings = KeepAlive::new().interval(longest_silence).text("ping");
    Ok((NO_BUFFERING, Sse::new(frames).keep_alive(pings)).into_response())
}

fn frames(
    first: TurnEvent,
    rest: UnboundedReceiver<TurnEvent>,
    observed: ObservedRequest,
) -> impl Stream<Item = Result<Event, Infallible>> {
    // A turn whose task died says nothing more; the stream must still end with an `error`.
    let events =
        futures::stream::once(async { first }).chain(rest).map(Some).chain(futures::stream::once(async { None }));
    events
        .scan(false, move |ended, event| {
            let frame = match event {
                _ if *ended => None,
                Some(event) => {
                    *ended = matches!(event, TurnEvent::Done(_) | TurnEvent::Replayed(_) | TurnEvent::Failed(_));
                    Some(frame(event, &observed))
                }
                None => Some(failure(&turn_lost(), &observed)),
            };
            std::future::ready(frame)
        })
        .map(Ok)
}

fn frame(event: TurnEvent, observed: &ObservedRequest) -> Event {
    match event {
        TurnEvent::Sources { user_id, source_documents } => {
            named("sources", &json!({"user_id": user_id, "source_documents": source_documents}))
        }
        TurnEvent::Delta(text) => named("delta", &json!({"text": text})),
        TurnEvent::Done(response) => named("done", &response),
        TurnEvent::Replayed(response) => named("done", &response),
        TurnEvent::Failed(error) => failure(&ApiError::from(error), observed),
    }
}

/// The events of an answer that was given before.
fn replayed_frames(response: &Value) -> [Event; 3] {
    [
        named("sources", &json!({"user_id": response["user_id"], "source_documents": response["source_documents"]})),
        named("delta", &json!({"text": response["response"]})),
        named("done", response),
    ]
}

fn named(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).expect("events are strings and numbers"))
}

/// The last event of a stream that failed after the response had begun, and with it after the outermost layer was done.
fn failure(error: &ApiError, observed: &ObservedRequest) -> Event {
    observed.log_failure(error);
    named("error", &error.problem(observed.id()))
}

fn turn_lost() -> ApiError {
    ApiError::internal("this turn met a defect of the server and was not saved; the operator finds more in the log")
}
