//! A cross-encoder behind a `/rerank` endpoint, as Jina, Cohere, vLLM and Hugging Face's Text Embeddings Inference (TEI)
//! have it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use footnote_knowledge::openai_endpoint::{HttpClientError, Refusal, http_client};
use footnote_knowledge::secret::Secret;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long an endpoint that failed is left alone: else an outage would cost every question its deadline.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endpoint(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Client,
    options: EndpointOptions,
    /// TEI calls the passages `texts` where the others say `documents`; known once it has refused the latter.
    calls_them_texts: AtomicBool,
    failed_at: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone)]
pub struct EndpointOptions {
    /// The whole address, as in `http://localhost:8081/rerank`.
    pub url: Url,
    pub api_key: Option<Secret>,
    pub model: Option<String>,
    pub timeout: Duration,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("it failed a moment ago")]
    LeftAlone,
    #[error("it did not answer in time")]
    Timeout,
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("it refuses the request")]
    Refused {
        status: u16,
        #[source]
        refusal: Refusal,
    },
    #[error("its answer cannot be understood: {0}")]
    Invalid(&'static str),
}

impl Endpoint {
    pub fn new(options: EndpointOptions) -> Result<Self, HttpClientError> {
        let http = http_client(None, options.timeout)?;
        let (calls_them_texts, failed_at) = (AtomicBool::new(false), Mutex::default());
        Ok(Self(Arc::new(Inner { http, options, calls_them_texts, failed_at })))
    }

    pub(super) fn is_heard(&self) -> bool {
        self.0.failed_at.lock().expect("nothing panics holding it").is_none()
    }

    /// One score per passage, in their order.
    pub(super) async fn scores(&self, question: &str, passages: &[String]) -> Result<Vec<f32>, Error> {
        let Inner { options, failed_at, .. } = &*self.0;
        let failed = *failed_at.lock().expect("nothing panics holding it");
        if failed.is_some_and(|at| at.elapsed() < LEFT_ALONE) {
            return Err(Error::LeftAlone);
        }
        let asking = tokio::time::timeout(options.timeout, self.0.ask(question, passages));
        let scores = asking.await.map_err(|_| Error::Timeout).flatten();
        *failed_at.lock().expect("nothing panics holding it") = scores.is_err().then(Instant::now);
        scores
    }
}

impl Inner {
    async fn ask(&self, question: &str, passages: &[String]) -> Result<Vec<f32>, Error> {
        let as_texts = self.calls_them_texts.load(Ordering::Relaxed);
        match self.ask_for(question, passages, as_texts).await {
            // "Bad request" and "unprocessable": it wants another shape.
            Err(Error::Refused { status: 400 | 422, .. }) if !as_texts => {
                let scores = self.ask_for(question, passages, true).await?;
                self.calls_them_texts.store(true, Ordering::Relaxed);
                Ok(scores)
            }
            scores => scores,
        }
    }

    async fn ask_for(&self, question: &str, passages: &[String], as_texts: bool) -> Result<Vec<f32>, Error> {
        let mut body = match as_texts {
            true => json!({"query": question, "texts": passages, "truncate": true}),
            false => json!({"query": question, "documents": passages, "top_n": passages.len()}),
        };
        if let (Some(model), false) = (&self.options.model, as_texts) {
            body["model"] = json!(model);
        }
        let mut request = self.http.post(self.options.url.clone()).json(&body);
        if let Some(key) = &self.options.api_key {
            request = request.bearer_auth(key.expose());
        }
        let response = request.send().await.map_err(Error::Unreachable)?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            return Err(Error::Refused { status, refusal: Refusal::read(response).await });
        }
        let answer: Value = response.json().await.map_err(|_| Error::Invalid("no JSON"))?;
        scores_in(answer, passages.len())
    }
}

/// `{"results": [{"index", "relevance_score"}]}`, or TEI's `[{"index", "score"}]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Named { results: Vec<Score> },
    Plain(Vec<Score>),
}

#[derive(Deserialize)]
struct Score {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f32,
}

fn scores_in(answer: Value, passages: usize) -> Result<Vec<f32>, Error> {
    let answer = serde_json::from_value(answer).map_err(|_| Error::Invalid("no list of scores"))?;
    let (Answer::Named { results: given } | Answer::Plain(given)) = answer;
    let mut scores = vec![None; passages];
    for Score { index, score } in given {
        *scores.get_mut(index).ok_or(Error::Invalid("a score for a passage that it was not shown"))? = Some(score);
    }
    scores.into_iter().collect::<Option<_>>().ok_or(Error::Invalid("no score for some passages"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_an_answer_are_read_and_incomplete_ones_refused() {
        let named = json!({"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]});
        assert_eq!(scores_in(named, 2).unwrap(), [0.1, 0.9]);
        let plain = json!([{"index": 0, "score": -3.5}, {"index": 1, "score": 2}]);
        assert_eq!(scores_in(plain, 2).unwrap(), [-3.5, 2.0]);
        for wrong in [
            json!({"results": [{"index": 0, "relevance_score": 0.9}]}),
            json!([{"index": 0, "score": 1}, {"index": 2, "score": 1}]),
            json!({"error": "busy"}),
            json!("ok"),
        ] {
            assert!(scores_in(wrong, 2).is_err());
        }
    }
}
