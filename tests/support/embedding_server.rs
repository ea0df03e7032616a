//! A scripted embedding model: speaks the wire of `POST /v1/embeddings` on a free port of 127.0.0.1. A text that holds the
//! word HELD is not answered before [`EmbeddingServer::release`].

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

pub(crate) struct EmbeddingServer {
    base_url: String,
    released: watch::Sender<bool>,
    /// Its own, so that dropping it cuts every connection, and a busy test does not slow the server.
    runtime: Option<Runtime>,
}

impl EmbeddingServer {
    pub(crate) fn start() -> Self {
        Self::start_at(0)
    }

    /// On a port that is free.
    pub(crate) fn start_at(port: u16) -> Self {
        let released = watch::Sender::new(false);
        let router = Router::new().route("/v1/embeddings", post(embed)).with_state(released.clone());
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let base_url = format!("http://{}/v1", listener.local_addr().expect("a bound address"));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await.expect("the embedding server runs");
        });
        Self { base_url, released, runtime: Some(runtime) }
    }

    /// With `/v1`, as `--openai-base-url` takes it.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// From now on every text is answered at once.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }
}

impl Drop for EmbeddingServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn embed(State(released): State<watch::Sender<bool>>, Json(body): Json<Value>) -> Json<Value> {
    let texts: Vec<&str> = match &body["input"] {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        text => text.as_str().into_iter().collect(),
    };
    if texts.iter().any(|text| text.contains("HELD")) {
        released.subscribe().wait_for(|released| *released).await.expect("the server is alive");
    }
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": letters(text)}))
        .collect();
    Json(json!({"object": "list", "data": data, "model": "scripted", "usage": {"prompt_tokens": 1, "total_tokens": 1}}))
}

/// How often each letter occurs: texts of the same words are close to each other.
fn letters(text: &str) -> Vec<f32> {
    let text = text.to_lowercase();
    ('a'..='z').map(|letter| 0.1 + text.matches(letter).count() as f32).collect()
}
