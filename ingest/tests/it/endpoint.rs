//! A `/v1/embeddings` server on loopback that says to each request what the test wants it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use footnote_knowledge::embedding::{Embedder, OpenAiEmbedder, OpenAiOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) enum Reply {
    /// A vector per text.
    Vectors,
    /// Zeros, which point nowhere.
    NoDirection,
    Status(u16),
}

type Script = dyn Fn(usize, &str) -> Reply + Send + Sync;

pub(crate) struct Endpoint {
    base_url: String,
    state: Arc<Scripted>,
    server: JoinHandle<()>,
}

struct Scripted {
    script: Box<Script>,
    requests: AtomicUsize,
}

impl Endpoint {
    /// `script` is given the number of the request, from 0, and all of its texts.
    pub(crate) async fn start(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let state = Arc::new(Scripted { script: Box::new(script), requests: AtomicUsize::new(0) });
        let routes =
            axum::Router::new().route("/v1/embeddings", axum::routing::post(answer)).with_state(Arc::clone(&state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { base_url, state, server }
    }

    /// One that gives up a request at its first failure.
    pub(crate) async fn embedder(&self) -> Embedder {
        let options =
            OpenAiOptions { dimension: Some(3), retries: 0, ..OpenAiOptions::new(&self.base_url, None, "test") };
        Embedder::OpenAi(OpenAiEmbedder::connect(options).await.unwrap())
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(scripted): State<Arc<Scripted>>, Json(body): Json<Value>) -> Response {
    let number = scripted.requests.fetch_add(1, Ordering::SeqCst);
    let texts: Vec<&str> = body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let embedding = match (scripted.script)(number, &texts.join("\n")) {
        Reply::Vectors => json!([1.0, 2.0, 3.0]),
        Reply::NoDirection => json!([0.0, 0.0, 0.0]),
        Reply::Status(status) => {
            let body = json!({"error": {"message": "scripted", "type": "scripted"}});
            return (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
        }
    };
    let data: Vec<Value> =
        (0..texts.len()).map(|index| json!({"object": "embedding", "index": index, "embedding": embedding})).collect();
    let usage = json!({"prompt_tokens": 1, "total_tokens": 1});
    Json(json!({"object": "list", "model": "scripted", "data": data, "usage": usage})).into_response()
}
