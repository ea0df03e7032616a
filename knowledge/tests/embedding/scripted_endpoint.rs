//! A `/v1/embeddings` server on loopback. It answers properly unless its script says otherwise.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the server does with one request.
pub(crate) enum Reply {
    /// A vector per text.
    Vectors,
    /// A status, its `Retry-After`, its body.
    Status(u16, Option<&'static str>, &'static str),
    /// One vector less than texts.
    OneTooFew,
    /// Takes the request and never answers.
    Silence,
}

pub(crate) struct ScriptedEndpoint {
    pub base_url: String,
    script: Arc<Script>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Request>>,
}

#[derive(Clone)]
pub(crate) struct Request {
    pub authorization: Option<String>,
    pub body: Value,
}

impl Request {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
    }
}

impl ScriptedEndpoint {
    /// Follows the script, then answers everything properly.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Arc::new(Script { replies: Mutex::new(replies.into_iter().collect()), ..Script::default() });
        let routes =
            axum::Router::new().route("/v1/embeddings", axum::routing::post(answer)).with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { base_url, script, server }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.script.requests.lock().unwrap().clone()
    }
}

impl Drop for ScriptedEndpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What the server thinks of a text: three numbers, not of unit length.
pub(crate) fn meaning(text: &str) -> [f32; 3] {
    [text.len() as f32, text.chars().filter(|letter| *letter == 'e').count() as f32, 1.0]
}

async fn answer(State(script): State<Arc<Script>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let request = Request { authorization, body };
    // Backwards: the order of the list is not promised.
    let vector =
        |(index, text): (usize, &&str)| json!({"object": "embedding", "index": index, "embedding": meaning(text)});
    let mut data: Vec<Value> = request.texts().iter().enumerate().map(vector).rev().collect();

    script.requests.lock().unwrap().push(request);
    let reply = script.replies.lock().unwrap().pop_front().unwrap_or(Reply::Vectors);
    match reply {
        Reply::Vectors => {}
        Reply::OneTooFew => drop(data.pop()),
        Reply::Silence => pending().await,
        Reply::Status(status, retry_after, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", HeaderValue::from_static(seconds));
            }
            return response;
        }
    }
    let usage = json!({"prompt_tokens": 1, "total_tokens": 1});
    Json(json!({"object": "list", "model": "scripted", "data": data, "usage": usage})).into_response()
}
