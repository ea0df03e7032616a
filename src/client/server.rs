//! The server's side of the wire, as a terminal client needs it.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use eventsource_stream::Eventsource;
use footnote_knowledge::secret::Secret;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::cli::{ChatClientOptions, check_key};

/// The server says at least every 15 s that it is still there; after some of these it, or the network, is not.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// A running server and the key to it.
pub(super) struct Server {
    client: Client,
    base_url: String,
    api_key: Option<Secret>,
}

/// One thing heard while a question is answered.
pub(super) enum Heard {
    Sources,
    Delta(String),
    /// The whole response.
    Done(Value),
}

impl Server {
    pub(super) fn new(options: &ChatClientOptions) -> anyhow::Result<Self> {
        // No limit on the whole answer: a long one is still coming, and the server has its own.
        let client = Client::builder().connect_timeout(Duration::from_secs(5)).read_timeout(LONGEST_SILENCE);
        // The proxy that the environment may name for other programs knows nothing of a server on this machine.
        let client = client.no_proxy().build()?;
        let api_key = options.api_key.first().cloned();
        api_key.iter().try_for_each(check_key)?;
        let base_url = options.server.trim_end_matches('/').to_owned();
        Ok(Self { client, base_url, api_key })
    }

    /// Whether a server is there and lets us in.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        let response = self.reach(self.request(Method::GET, "/readyz")).await?;
        // Not ready is still a server that answers, and each question tells what it lacks.
        if response.status().is_client_error() { Err(problem(response).await) } else { Ok(()) }
    }

    /// Asks; what is heard ends with [`Heard::Done`].
    pub(super) async fn ask(
        &self,
        user_id: &str,
        question: &str,
    ) -> anyhow::Result<BoxStream<'static, anyhow::Result<Heard>>> {
        let body = json!({"message": question, "user_id": user_id, "stream": true});
        let response =
            self.request(Method::POST, "/chat").json(&body).send().await.context("the server did not answer")?;
        if !response.status().is_success() {
            return Err(problem(response).await);
        }
        Ok(heard(response).boxed())
    }

    /// Asks and waits for the whole response.
    pub(super) async fn ask_at_once(
        &self,
        user_id: Option<&str>,
        question: &str,
        explain: bool,
    ) -> anyhow::Result<Value> {
        let body = json!({"message": question, "user_id": user_id, "stream": false, "explain": explain});
        let response = self.reach(self.request(Method::POST, "/chat").json(&body)).await?;
        if !response.status().is_success() {
            return Err(problem(response).await);
        }
        response.json().await.context("the server's answer is not JSON")
    }

    pub(super) async fn forget(&self, user_id: &str) -> anyhow::Result<()> {
        // Also when they are encoded, these two stand for a folder in a URL and would delete something else, or nothing.
        ensure!(!matches!(user_id, "." | ".."), "a conversation called {user_id:?} cannot be named in a URL");
        let path = format!("/sessions/{}", utf8_percent_encode(user_id, NON_ALPHANUMERIC));
        let response = self.request(Method::DELETE, &path).send().await.context("the server did not answer")?;
        if response.status().is_success() {
            return Ok(());
        }
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        // A conversation that was never begun is as forgotten as can be.
        if body["code"] == "not_found" { Ok(()) } else { Err(refusal(status, &body)) }
    }

    /// The first request of a command: there may be no server at all.
    async fn reach(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let advice = "start one with `footnote serve`, or name it with --server";
        request.send().await.with_context(|| format!("there is no server at {}; {advice}", self.base_url))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base_url));
        match &self.api_key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        }
    }
}

fn heard(response: Response) -> impl Stream<Item = anyhow::Result<Heard>> {
    response.bytes_stream().eventsource().map(|event| {
        let event = event.context("the connection broke before the answer was complete")?;
        let data: Value = serde_json::from_str(&event.data).context("the server sent an event that is not JSON")?;
        match event.event.as_str() {
            "delta" => Ok(Heard::Delta(data["text"].as_str().unwrap_or_default().to_owned())),
            "done" => Ok(Heard::Done(data)),
            "error" => Err(anyhow!("{}", detail(&data).unwrap_or("the server failed and did not say why"))),
            _ => Ok(Heard::Sources),
        }
    })
}

/// What the server said was wrong.
async fn problem(response: Response) -> anyhow::Error {
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    refusal(status, &body)
}

fn refusal(status: StatusCode, body: &Value) -> anyhow::Error {
    match detail(body) {
        Some(detail) if status == StatusCode::UNAUTHORIZED => {
            anyhow!("{detail}; give it with --api-key or FOOTNOTE_API_KEY ({status})")
        }
        Some(detail) => anyhow!("{detail} ({status})"),
        None => anyhow!("the server answered {status}"),
    }
}

fn detail(problem: &Value) -> Option<&str> {
    problem["detail"].as_str()
}
