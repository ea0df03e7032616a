//! A scripted reranker on a free port of 127.0.0.1: a passage scores by how many words of the question's it does *not*
//! have, so its order is the reverse of any sensible one and cannot be mistaken for the search's.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// `documents` in, `{"results": [{"index", "relevance_score"}]}` out.
    Jina,
    /// `texts` in, `[{"index", "score"}]` out, and nothing else understood.
    Tei,
    Stalls,
    Fails,
    LeavesOut,
}

/// As it arrived.
#[derive(Clone)]
pub(crate) struct RerankRequest {
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

#[derive(Clone)]
struct Shared {
    manner: Manner,
    requests: Arc<Mutex<Vec<RerankRequest>>>,
}

pub(crate) struct RerankServer {
    url: String,
    shared: Shared,
    runtime: Option<Runtime>,
}

impl RerankServer {
    pub(crate) fn start(manner: Manner) -> Self {
        let shared = Shared { manner, requests: Arc::default() };
        let router = Router::new().route("/rerank", post(rerank)).with_state(shared.clone());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let url = format!("http://{}/rerank", listener.local_addr().expect("a bound address"));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await.expect("the reranker runs");
        });
        Self { url, shared, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn requests(&self) -> Vec<RerankRequest> {
        self.shared.requests.lock().expect("nothing panics holding it").clone()
    }
}

impl Drop for RerankServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn rerank(State(shared): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = RerankRequest { authorization, body: body.clone() };
    shared.requests.lock().expect("nothing panics holding it").push(request);
    let manner = shared.manner;
    let field = if manner == Manner::Tei { "texts" } else { "documents" };
    let Some(passages) = body[field].as_array() else {
        return (StatusCode::UNPROCESSABLE_ENTITY, format!("missing field `{field}`")).into_response();
    };
    let question = body["query"].as_str().unwrap_or_default().to_lowercase();
    let absent = |passage: &Value| {
        let passage = passage.as_str().unwrap_or_default().to_lowercase();
        question.split_whitespace().filter(|word| !passage.contains(word)).count()
    };
    let scores = passages.iter().map(absent).enumerate();
    match manner {
        Manner::Jina => {
            let results: Vec<Value> =
                scores.map(|(index, score)| json!({"index": index, "relevance_score": score})).collect();
            Json(json!({"results": results})).into_response()
        }
        Manner::Tei => {
            let results: Vec<Value> = scores.map(|(index, score)| json!({"index": index, "score": score})).collect();
            Json(json!(results)).into_response()
        }
        Manner::Stalls => std::future::pending().await,
        Manner::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::LeavesOut => Json(json!({"results": [{"index": 0, "relevance_score": 1}]})).into_response(),
    }
}
