//! A scripted model server: speaks the wire of `POST /v1/chat/completions` on a free port of 127.0.0.1, answers as told
//! and records what it was asked. Included by test binaries with `#[path]`.
//!
//! Replies given with [`ModelServer::then`] are used once, in order; after them, the one given with
//! [`ModelServer::always`].
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

/// What the server does with one request.
pub(crate) enum Reply {
    /// Streams the text word by word, as fast as it is read, with usage when the request asks for it.
    Answer(String),
    /// Like `Answer`, but with the words as the test sends them; the answer ends when the sender is dropped.
    Live(mpsc::UnboundedReceiver<String>),
    /// Like `Answer`, but the response ends a while after its last event.
    EndLate(String),
    /// Accepts the request and says nothing.
    Stall,
    /// Streams the text, then nothing more.
    StallAfter(String),
    /// Streams the text, then cuts the connection.
    CutAfter(String),
    /// Streams the text, then ends the response in good order, but without a reason to finish or `[DONE]`.
    EndAfter(String),
    /// Refuses with this status, error code and, if given, `Retry-After` in seconds.
    Refuse { status: u16, code: &'static str, retry_after: Option<&'static str> },
    /// Refuses with this status and this JSON, in which `PROMPT` stands for the message it was sent.
    RefuseWith { status: u16, body: &'static str },
    /// Refuses with this status and a body that begins and never ends.
    RefuseAndStall { status: u16 },
    /// An event stream of exactly these bytes, each in a piece of its own.
    Raw(Vec<u8>),
    /// An event stream of these `data:` lines, without `[DONE]`.
    Events(Vec<String>),
}

impl Reply {
    pub(crate) fn answer(text: &str) -> Self {
        Self::Answer(text.to_owned())
    }

    pub(crate) fn live() -> (mpsc::UnboundedSender<String>, Self) {
        let (words, receiver) = mpsc::unbounded_channel();
        (words, Self::Live(receiver))
    }

    pub(crate) fn refuse(status: u16) -> Self {
        Self::Refuse { status, code: "refused", retry_after: None }
    }

    pub(crate) fn events(events: impl IntoIterator<Item = Value>) -> Self {
        Self::Events(events.into_iter().map(|event| event.to_string()).collect())
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct RecordedRequest {
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

impl RecordedRequest {
    /// The content of the first message with this role.
    pub(crate) fn message(&self, role: &str) -> &str {
        let messages = self.body["messages"].as_array().expect("a list of messages");
        let message = messages.iter().find(|message| message["role"] == role).expect("a message with the role");
        message["content"].as_str().expect("a text content")
    }
}

pub(crate) struct ModelServer {
    base_url: String,
    shared: Arc<Shared>,
    /// Its own, so that dropping it cuts every connection, and a busy test does not slow the server.
    runtime: Option<Runtime>,
}

struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    always: Mutex<Box<dyn Fn() -> Reply + Send>>,
    requests: watch::Sender<Vec<RecordedRequest>>,
    /// Addresses of the clients' ends.
    clients: Mutex<HashSet<SocketAddr>>,
    /// Connections given up by the client while the server was still answering.
    abandoned: watch::Sender<usize>,
    /// The status of `GET /models`, and how often that was asked for.
    models: Mutex<(u16, usize)>,
}

/// Longer than anything here takes on a busy machine, and short enough to notice a hang.
const DEADLINE: Duration = Duration::from_secs(60);

/// Later than a client that does not wait for the end of a response is done with it.
const LATE: Duration = Duration::from_millis(100);

impl ModelServer {
    /// Answers `Hello. [1]` until told otherwise.
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared {
            replies: Mutex::default(),
            always: Mutex::new(Box::new(|| Reply::answer("Hello. [1]"))),
            requests: watch::Sender::default(),
            clients: Mutex::default(),
            abandoned: watch::Sender::default(),
            models: Mutex::new((200, 0)),
        });
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&shared));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let base_url = format!("http://{}/v1", listener.local_addr().expect("a bound address"));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            // As model servers do: without it a word waits up to 40 ms for the receipt of the one before.
            let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket option"));
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await.expect("the model server runs");
        });
        Self { base_url, shared, runtime: Some(runtime) }
    }

    /// With `/v1`, as `--openai-base-url` takes it.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn then(&self, reply: Reply) -> &Self {
        self.shared.replies.lock().expect("no panic while held").push_back(reply);
        self
    }

    pub(crate) fn always(&self, reply: impl Fn() -> Reply + Send + 'static) -> &Self {
        *self.shared.always.lock().expect("no panic while held") = Box::new(reply);
        self
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests.borrow().clone()
    }

    pub(crate) fn last_request(&self) -> RecordedRequest {
        self.requests().pop().expect("a request was made")
    }

    /// How many connections the requests came over.
    pub(crate) fn connections(&self) -> usize {
        self.shared.clients.lock().expect("no panic while held").len()
    }

    /// Answers `GET /models` with this status.
    pub(crate) fn list_models_with(&self, status: u16) {
        self.shared.models.lock().expect("no panic while held").0 = status;
    }

    /// How often `GET /models` was asked for.
    pub(crate) fn models_listed(&self) -> usize {
        self.shared.models.lock().expect("no panic while held").1
    }

    /// Waits until `count` requests have arrived.
    pub(crate) async fn received(&self, count: usize) {
        let mut requests = self.shared.requests.subscribe();
        let waiting = tokio::time::timeout(DEADLINE, requests.wait_for(|requests| requests.len() >= count));
        waiting.await.expect("the requests arrive").expect("the server is alive");
    }

    /// Waits until a client has given up an answer that was still being written.
    pub(crate) async fn abandoned(&self) {
        let mut abandoned = self.shared.abandoned.subscribe();
        let waiting = tokio::time::timeout(DEADLINE, abandoned.wait_for(|count| *count > 0));
        waiting.await.expect("a client gives up").expect("the server is alive");
    }
}

/// Cuts what is open; the port refuses connections afterwards.
impl Drop for ModelServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn models(State(shared): State<Arc<Shared>>) -> Response {
    let mut models = shared.models.lock().expect("no panic while held");
    models.1 += 1;
    match models.0 {
        200 => Json(json!({"object": "list", "data": [{"id": "scripted", "object": "model"}]})).into_response(),
        status => refuse(status, "refused", None),
    }
}

async fn complete(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    shared.clients.lock().expect("no panic while held").insert(client);
    let usage = body["stream_options"]["include_usage"] == true;
    let authorization = headers.get("authorization").map(|value| value.to_str().expect("ASCII").to_owned());
    shared.requests.send_modify(|requests| requests.push(RecordedRequest { authorization, body }));
    let next = shared.replies.lock().expect("no panic while held").pop_front();
    let reply = next.unwrap_or_else(|| shared.always.lock().expect("no panic while held")());
    let pieces: BoxStream<'static, Result<Bytes, std::io::Error>> = match reply {
        Reply::Answer(text) => whole(stream::iter(words(&text)), usage),
        Reply::Live(mut words) => whole(stream::poll_fn(move |context| words.poll_recv(context)), usage),
        Reply::EndLate(text) => {
            let end = stream::once(tokio::time::sleep(LATE)).filter_map(|()| std::future::ready(None));
            whole(stream::iter(words(&text)), usage).chain(end).boxed()
        }
        Reply::Stall => std::future::pending().await,
        Reply::StallAfter(text) => deltas(stream::iter(words(&text))).chain(stream::pending()).boxed(),
        Reply::CutAfter(text) => {
            let cut = stream::once(async {
                // Once pending, so that what was written before is sent: an error throws away what is buffered.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            });
            deltas(stream::iter(words(&text))).chain(cut).boxed()
        }
        Reply::EndAfter(text) => deltas(stream::iter(words(&text))).boxed(),
        Reply::Refuse { status, code, retry_after } => return refuse(status, code, retry_after),
        Reply::RefuseWith { status, body } => {
            let status = StatusCode::from_u16(status).expect("a status");
            let sent = json!(shared.requests.borrow().last().expect("this one").message("user")).to_string();
            let body = body.replace("PROMPT", sent.trim_matches('"'));
            return (status, [("content-type", "application/json")], body).into_response();
        }
        Reply::RefuseAndStall { status } => {
            let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]).chain(stream::pending());
            return (StatusCode::from_u16(status).expect("a status"), Body::from_stream(begun)).into_response();
        }
        Reply::Raw(bytes) => stream::iter(bytes)
            .then(|byte| async move {
                // Once pending, so that what was written before is sent by itself.
                tokio::task::yield_now().await;
                Ok(Bytes::copy_from_slice(&[byte]))
            })
            .boxed(),
        Reply::Events(events) => stream::iter(events).map(|event| Ok(data(&event))).boxed(),
    };
    let watched = Watched { pieces, shared, ended: false };
    ([("content-type", "text/event-stream")], Body::from_stream(watched)).into_response()
}

fn refuse(status: u16, code: &str, retry_after: Option<&'static str>) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let body = Json(json!({"error": {"message": "no", "type": "scripted", "param": null, "code": code}}));
    match retry_after {
        Some(seconds) => (status, [("retry-after", seconds)], body).into_response(),
        None => (status, body).into_response(),
    }
}

/// `one two` as `one`, ` two`.
fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn deltas(
    words: impl Stream<Item = String> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let role = stream::iter([chunk(json!([{"index": 0, "delta": {"role": "assistant", "content": ""}}]))]);
    let contents = words.map(|word| chunk(json!([{"index": 0, "delta": {"content": word}, "finish_reason": null}])));
    role.chain(contents).map(|chunk| Ok(data(&chunk.to_string())))
}

/// The words, the reason to finish, the usage if it is wanted (words as tokens), `[DONE]`.
fn whole(
    words: impl Stream<Item = String> + Send + 'static,
    usage: bool,
) -> BoxStream<'static, Result<Bytes, std::io::Error>> {
    let counted = Arc::new(Mutex::new(0));
    let count = Arc::clone(&counted);
    let words = words.inspect(move |_| *count.lock().expect("no panic while held") += 1);
    let end = stream::once(async move {
        let mut end = data(&chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}])).to_string()).to_vec();
        if usage {
            let completion_tokens = *counted.lock().expect("no panic while held");
            let mut last = chunk(json!([]));
            last["usage"] = json!({"prompt_tokens": 7, "completion_tokens": completion_tokens,
                "total_tokens": 7 + completion_tokens});
            end.extend_from_slice(&data(&last.to_string()));
        }
        end.extend_from_slice(&data("[DONE]"));
        Ok(Bytes::from(end))
    });
    deltas(words).chain(end).boxed()
}

fn chunk(choices: Value) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": choices})
}

fn data(event: &str) -> Bytes {
    Bytes::from(format!("data: {event}\n\n"))
}

/// A body that notices when it is dropped before its end.
struct Watched {
    pieces: BoxStream<'static, Result<Bytes, std::io::Error>>,
    shared: Arc<Shared>,
    ended: bool,
}

impl Stream for Watched {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let polled = self.pieces.poll_next_unpin(context);
        if let std::task::Poll::Ready(None | Some(Err(_))) = polled {
            self.ended = true;
        }
        polled
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.abandoned.send_modify(|count| *count += 1);
        }
    }
}
