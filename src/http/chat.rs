//! `POST /chat`: one JSON answer, or the same answer as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use footnote_knowledge::collection::Filter;
use futures::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;
use uuid::Uuid;

use super::body::{JsonBody, JsonObject};
use super::error::ApiError;
use super::observe::ObservedRequest;
use super::{AppState, path};
use crate::chat::{Question, TopK, TurnEvent, TurnRequest};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatBody {
    message: String,
    #[serde(default, alias = "session_id")]
    user_id: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    use_history: Option<bool>,
    #[serde(default)]
    top_k: Option<usize>,
    #[serde(default)]
    filter: Option<JsonObject<Filter>>,
}

impl ChatBody {
    fn into_turn(self) -> Result<TurnRequest, ApiError> {
        let invalid = |field: &str, reason: &dyn ToString| {
            ApiError::invalid_field(field, format!("`{field}` {}", reason.to_string()))
        };
        let user_id = self.user_id.unwrap_or_else(|| Uuid::new_v4().to_string());
        Ok(TurnRequest {
            question: Question::parse(self.message).map_err(|error| invalid("message", &error))?,
            session: path::session_key("user_id", &user_id)?,
            use_history: self.use_history.unwrap_or(true),
            top_k: self
                .top_k
                .map(TopK::parse)
                .transpose()
                .map_err(|error| invalid("top_k", &error))?
                .unwrap_or_default(),
            filter: self.filter.map(|JsonObject(filter)| filter).unwrap_or_default(),
        })
    }
}

pub(super) async fn post(
    State(app): State<AppState>,
    Extension(observed): Extension<ObservedRequest>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChatBody>,
) -> Result<Response, ApiError> {
    let streams = body.stream.unwrap_or_else(|| accepts_events(&headers));
    let events = app.chat.begin(body.into_turn()?);
    if streams { stream(events, observed, app.patience.silence).await } else { answer(events).await }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

/// The whole answer at once.
async fn answer(mut events: UnboundedReceiver<TurnEvent>) -> Result<Response, ApiError> {
    while let Some(event) = events.recv().await {
        match event {
            TurnEvent::Sources { .. } | TurnEvent::Delta(_) => {}
            TurnEvent::Done(response) => return Ok(Json(response).into_response()),
            TurnEvent::Failed(error) => return Err(error.into()),
        }
    }
    Err(turn_lost())
}

/// `sources`, `delta`…, then `done` or `error`. What fails before there are sources is an ordinary error response,
/// which every client understands.
async fn stream(
    mut events: UnboundedReceiver<TurnEvent>,
    observed: ObservedRequest,
    longest_silence: Duration,
) -> Result<Response, ApiError> {
    let first = match events.recv().await {
        Some(TurnEvent::Failed(error)) => return Err(error.into()),
        Some(event) => event,
        None => return Err(turn_lost()),
    };
    let frames = frames(first, events, observed);
    let no_buffering = [(HeaderName::from_static("x-accel-buffering"), "no")];
    let pings = KeepAlive::new().interval(longest_silence).text("ping");
    Ok((no_buffering, Sse::new(frames).keep_alive(pings)).into_response())
}

fn frames(
    first: TurnEvent,
    rest: UnboundedReceiver<TurnEvent>,
    observed: ObservedRequest,
) -> impl Stream<Item = Result<Event, Infallible>> {
    // A turn whose task died says nothing more; the stream must still end with an `error`.
    let events = futures::stream::once(async { first })
        .chain(UnboundedReceiverStream::new(rest))
        .map(Some)
        .chain(futures::stream::once(async { None }));
    events
        .scan(false, move |ended, event| {
            let frame = match event {
                _ if *ended => None,
                Some(event) => {
                    *ended = matches!(event, TurnEvent::Done(_) | TurnEvent::Failed(_));
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
            let data = json!({"user_id": user_id, "source_documents": source_documents});
            Event::default().event("sources").data(data.to_string())
        }
        TurnEvent::Delta(text) => Event::default().event("delta").data(json!({"text": text}).to_string()),
        TurnEvent::Done(response) => {
            let data = serde_json::to_string(&response).expect("a response is strings and numbers");
            Event::default().event("done").data(data)
        }
        TurnEvent::Failed(error) => failure(&ApiError::from(error), observed),
    }
}

/// The last event of a stream that failed after the response had begun, and with it after the outermost layer was done.
fn failure(error: &ApiError, observed: &ObservedRequest) -> Event {
    observed.log_failure(error);
    let problem = serde_json::to_string(&error.problem(observed.id())).expect("a problem is strings and numbers");
    Event::default().event("error").data(problem)
}

fn turn_lost() -> ApiError {
    ApiError::internal("this turn met a defect of the server and was not saved; the log tells more")
}
