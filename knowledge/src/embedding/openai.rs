//! Any OpenAI-compatible `/v1/embeddings` endpoint: texts in batches, several requests at once, patient with an endpoint
//! that is busy or away for a moment.
//!
//! What goes over the wire is in `client`, what a batch may hold in `batches`, what counts as an answer in `response`.

mod batches;
mod client;
mod endpoint;
mod response;

pub use self::endpoint::Endpoint;

/// Under which `async-openai` logs. It quotes what it cannot read, which may be text of a document or a conversation, so
/// nothing of it belongs into a log.
pub const CLIENT_LOG_TARGET: &str = "async_openai";

use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_openai::Client;
use async_openai::types::embeddings::{CreateEmbeddingRequest, EmbeddingInput, EncodingFormat};
use backon::{ExponentialBuilder, Retryable};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::{EmbeddingIdentity, Error, Tokenizer, pooling};
use crate::blocking;
use crate::secret::Secret;

/// An endpoint that asks for a longer pause than this is given up on.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long an answer vouches for the endpoint when readiness is asked for.
const CHECKED_FOR: Duration = Duration::from_secs(30);

/// OpenAI's own models, and what they take.
const OPENAI_MODELS: &str = "text-embedding-";
const OPENAI_TOKENS: usize = 8191;
/// What nearly every other model takes; servers refuse more, or cut.
const COMMON_TOKENS: usize = 512;

/// Where the endpoint is and how it is treated.
#[derive(Debug, Clone)]
pub struct OpenAiOptions {
    /// Up to and without `/embeddings`, e.g. `https://api.openai.com/v1`.
    pub base_url: String,
    /// Without one no `Authorization` header is sent.
    pub api_key: Option<Secret>,
    /// Every request goes through it.
    pub proxy: Option<Secret>,
    pub model: String,
    /// Numbers in a vector, if known; otherwise [`OpenAiEmbedder::connect`] asks.
    pub dimension: Option<usize>,
    /// Tokens the model takes in one text; longer texts go window by window.
    pub max_tokens: usize,
    pub texts_per_request: usize,
    /// OpenAI refuses more than 300,000 in one request.
    pub tokens_per_request: usize,
    pub concurrent_requests: usize,
    /// For one request, from its first byte to the last of the answer.
    pub request_deadline: Duration,
    /// For a query with all its retries: someone is waiting.
    pub query_deadline: Duration,
    /// Further attempts after 429, 5xx, a lost connection or a missed deadline.
    pub retries: usize,
}

impl OpenAiOptions {
    pub fn new(base_url: impl Into<String>, api_key: Option<Secret>, model: impl Into<String>) -> Self {
        let model = model.into();
        let max_tokens = if model.starts_with(OPENAI_MODELS) { OPENAI_TOKENS } else { COMMON_TOKENS };
        Self {
            base_url: base_url.into(),
            api_key,
            proxy: None,
            model,
            dimension: None,
            max_tokens,
            texts_per_request: 128,
            tokens_per_request: 100_000,
            concurrent_requests: 4,
            request_deadline: Duration::from_secs(30),
            query_deadline: Duration::from_secs(10),
            retries: 5,
        }
    }
}

/// A remote embedding model.
pub struct OpenAiEmbedder {
    client: Client<Endpoint>,
    options: OpenAiOptions,
    dimension: usize,
    tokenizer: Tokenizer,
    last_answer: Mutex<Option<Instant>>,
}

/// Part of a text that one sequence of the model holds.
struct Window {
    text: String,
    tokens: usize,
}

impl OpenAiEmbedder {
    /// Calls the endpoint once for its dimension, unless that is given.
    pub async fn connect(options: OpenAiOptions) -> Result<Self, Error> {
        let client = client::connect(&options.base_url, options.api_key.as_ref(), options.proxy.as_ref())?;
        let tokenizer =
            blocking::run(Tokenizer::cautious).await.map_err(|unfinished| Error::Model(unfinished.into()))??;
        let dimension = options.dimension.unwrap_or(0);
        let mut embedder = Self { client, options, dimension, tokenizer, last_answer: Mutex::new(None) };
        if embedder.options.dimension.is_none() {
            embedder.dimension = embedder.embed_query("dimension").await?.len();
        }
        Ok(embedder)
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    pub fn max_tokens(&self) -> usize {
        self.options.max_tokens
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub fn identity(&self) -> EmbeddingIdentity {
        EmbeddingIdentity { model: self.options.model.clone(), dimension: self.dimension, pooling: "remote".to_owned() }
    }

    pub(super) async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        let texts = self.windows(texts).await?;
        let windows_of_text: Vec<usize> = texts.iter().map(Vec::len).collect();
        let windows: Vec<Window> = texts.into_iter().flatten().collect();
        let tokens: Vec<usize> = windows.iter().map(|window| window.tokens).collect();

        let limits = (self.options.texts_per_request, self.options.tokens_per_request);
        let requests = batches::batches(&tokens, limits.0, limits.1).into_iter().map(|batch| {
            let texts = windows[batch].iter().map(|window| window.text.clone()).collect();
            self.request_patiently(texts)
        });
        let answers: Vec<Vec<Vec<f32>>> =
            stream::iter(requests).buffered(self.options.concurrent_requests.max(1)).try_collect().await?;

        let mut vectors = tokens.into_iter().zip(answers.into_iter().flatten());
        let mean = |count| pooling::weighted_mean(vectors.by_ref().take(count).collect());
        Ok(windows_of_text.into_iter().map(mean).collect())
    }

    pub(super) async fn embed_query(&self, text: &str) -> Result<Vec<f32>, Error> {
        Ok(self.embed_queries(vec![text.to_owned()]).await?.remove(0))
    }

    pub(super) async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        let deadline = self.options.query_deadline;
        timeout(deadline, self.embed_documents(texts)).await.map_err(|_| Error::Timeout { after: deadline })?
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        let last_answer = *self.last_answer.lock().expect("nothing panics holding it");
        if last_answer.is_some_and(|answer| answer.elapsed() < CHECKED_FOR) {
            return Ok(());
        }
        let deadline = self.options.query_deadline;
        let asked = timeout(deadline, self.request(vec!["ready".to_owned()])).await;
        asked.map_err(|_| Error::Timeout { after: deadline })?.map(drop)
    }

    /// Per text its windows, at least one.
    async fn windows(&self, texts: Vec<String>) -> Result<Vec<Vec<Window>>, Error> {
        let (tokenizer, max_tokens) = (self.tokenizer.clone(), self.options.max_tokens);
        let cut = move |text: String| -> Vec<Window> {
            let windows = tokenizer.windows(&text, max_tokens).into_iter();
            windows.map(|(bytes, tokens)| Window { text: text[bytes].to_owned(), tokens }).collect()
        };
        let cut_all = move || texts.into_iter().map(cut).collect();
        blocking::run(cut_all).await.map_err(|unfinished| Error::Model(unfinished.into()))
    }

    async fn request_patiently(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(self.options.retries)
            .with_jitter();
        (|| self.request(texts.clone()))
            .retry(backoff)
            .when(Error::is_transient)
            .adjust(|error, pause| match error.retry_after() {
                Some(asked) => pause.and((asked <= LONGEST_PAUSE).then_some(asked)),
                None => pause,
            })
            .await
    }

    /// One request, one attempt.
    async fn request(&self, mut texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        // OpenAI refuses an empty text.
        texts.iter_mut().filter(|text| text.is_empty()).for_each(|text| text.push(' '));
        let expected = texts.len();
        let request = CreateEmbeddingRequest {
            model: self.options.model.clone(),
            input: EmbeddingInput::StringArray(texts),
            encoding_format: Some(EncodingFormat::Float),
            ..CreateEmbeddingRequest::default()
        };
        let deadline = self.options.request_deadline;
        let answer = timeout(deadline, self.client.embeddings().create(request)).await;
        let answer = answer.map_err(|_| Error::Timeout { after: deadline })?.map_err(client::error)?;
        let vectors = response::vectors(answer, expected, self.dimension)?;
        *self.last_answer.lock().expect("nothing panics holding it") = Some(Instant::now());
        Ok(vectors)
    }
}
