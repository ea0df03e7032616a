//! The routes of a Footnote server that ingesting needs.

use std::time::Duration;

use footnote_knowledge::collection::{Chunk, Document};
use footnote_knowledge::options::EmbedderChoice;
use footnote_knowledge::secret::Secret;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use reqwest::header::{HeaderMap, HeaderValue, LAST_MODIFIED};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use uuid::Uuid;

use crate::discover::Root;
use crate::extract::ExtractOptions;
use crate::pipeline::prepare::Changed;
use crate::report::{Failure, Skipped};

/// How often a job is asked about.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Documents in one page of the list, the most that a server gives.
const PAGE: usize = 100;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A running server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client,
    url: String,
    key: Option<Secret>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("the server at {url} cannot be reached")]
    Unreachable { url: String, source: reqwest::Error },
    /// It is busy or misses something that it depends on.
    #[error("the server is not ready: {message}")]
    Unavailable { message: String },
    #[error("the server refuses this: {message}")]
    Refused { message: String },
    #[error("the server gave it up: {message}")]
    Job { message: String },
    #[error("what answers at {url} is no Footnote server")]
    NotOurs { url: String, source: reqwest::Error },
}

impl ServerError {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unavailable { .. } => true,
            Self::Refused { .. } | Self::Job { .. } | Self::NotOurs { .. } => false,
        }
    }
}

/// What became of a job.
#[derive(Debug, Deserialize)]
pub(super) struct FinishedJob {
    pub(super) added: usize,
    pub(super) unchanged: usize,
    pub(super) chunks: usize,
    pub(super) skipped: Vec<Skipped>,
    pub(super) failed: Vec<Failure>,
    pub(super) error: Option<String>,
}

#[derive(Deserialize)]
struct DocumentPage {
    documents: Vec<Document>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// The date of the file, as of any HTTP resource.
fn last_modified(file: &Changed) -> HeaderMap {
    let time = file.modified().and_then(|time| Timestamp::try_from(time).ok());
    let date = time.and_then(|time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok());
    let value = date.and_then(|date| HeaderValue::from_str(&date).ok());
    value.map(|value| HeaderMap::from_iter([(LAST_MODIFIED, value)])).unwrap_or_default()
}

impl Server {
    /// `url` is the server's, as in `http://localhost:8080`.
    pub fn new(url: &str, key: Option<Secret>) -> Self {
        let client = Client::builder().connect_timeout(CONNECT_WITHIN).no_proxy().build();
        let client = client.expect("a client without certificates of its own can be made");
        Self { client, url: url.trim_end_matches('/').to_owned(), key }
    }

    /// All documents there are.
    pub async fn documents(&self) -> Result<Vec<Document>, ServerError> {
        let mut documents = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.client.get(self.at(&format!("/documents?limit={PAGE}{from}")));
            let DocumentPage { documents: more, next_cursor } = self.read(self.send(page).await?).await?;
            documents.extend(more);
            cursor = next_cursor;
            if cursor.is_none() {
                return Ok(documents);
            }
        }
    }

    /// The job that deals with these files, which are all of `root`; `same_folder` says that the documents called after it
    /// came from its folder.
    pub(super) async fn upload(
        &self,
        root: &Root,
        same_folder: bool,
        tags: &[String],
        extract: &ExtractOptions,
        files: &[Changed],
    ) -> Result<Uuid, ServerError> {
        let mut form = Form::new()
            .text("root", root.name.clone())
            .text("folder", root.given.to_string_lossy().into_owned())
            .text("same_folder", same_folder.to_string());
        for tag in tags {
            form = form.text("tag", tag.clone());
        }
        for field in &extract.json_fields {
            form = form.text("json_field", field.clone());
        }
        for file in files {
            let part = Part::bytes(file.bytes.clone()).file_name(file.below_root().to_owned());
            form = form.part("file", part.headers(last_modified(file)));
        }
        self.submit(self.client.post(self.at("/documents")).multipart(form)).await
    }

    /// The job that builds the collection anew with this embedder.
    pub(super) async fn reindex(&self, embedder: &EmbedderChoice) -> Result<Uuid, ServerError> {
        self.submit(self.client.post(self.at("/reindex")).json(embedder)).await
    }

    async fn submit(&self, request: RequestBuilder) -> Result<Uuid, ServerError> {
        #[derive(Deserialize)]
        struct Submitted {
            job_id: Uuid,
        }
        let Submitted { job_id } = self.read(self.send(request).await?).await?;
        Ok(job_id)
    }

    /// Waits until the job is done; `progress` is told of chunks as they are embedded.
    pub(super) async fn finished(
        &self,
        job: Uuid,
        mut progress: impl FnMut(usize),
    ) -> Result<FinishedJob, ServerError> {
        #[derive(Deserialize)]
        struct Standing {
            finished_at: Option<String>,
            #[serde(flatten)]
            job: FinishedJob,
        }
        let mut told = 0;
        loop {
            let Standing { finished_at, job } = {
                let response = self.send(self.client.get(self.at(&format!("/jobs/{job}")))).await?;
                self.read(response).await?
            };
            if job.chunks > told {
                progress(job.chunks - told);
                told = job.chunks;
            }
            if finished_at.is_some() {
                return Ok(job);
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Nothing happens if there is no such document.
    pub async fn delete(&self, id: Uuid) -> Result<(), ServerError> {
        let request = self.client.delete(self.at(&format!("/documents/{id}")));
        match self.respond(request).await? {
            // Somebody else was faster.
            response if response.status() == reqwest::StatusCode::NOT_FOUND => Ok(()),
            response => self.accept(response).await.map(drop),
        }
    }

    /// Of a document, in order.
    pub async fn chunks(&self, id: Uuid) -> Result<Vec<Chunk>, ServerError> {
        #[derive(Deserialize)]
        struct DocumentChunks {
            chunks: Vec<Chunk>,
        }
        let response = self.send(self.client.get(self.at(&format!("/documents/{id}/chunks")))).await?;
        let DocumentChunks { chunks } = self.read(response).await?;
        Ok(chunks)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ServerError> {
        let response = self.respond(request).await?;
        self.accept(response).await
    }

    async fn respond(&self, request: RequestBuilder) -> Result<Response, ServerError> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        };
        request.send().await.map_err(|source| ServerError::Unreachable { url: self.url.clone(), source })
    }

    async fn accept(&self, response: Response) -> Result<Response, ServerError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: Option<Problem> = response.json().await.ok();
        let message = problem.map_or_else(|| format!("it answers with {status}"), |problem| problem.detail);
        if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS {
            Err(ServerError::Unavailable { message })
        } else {
            Err(ServerError::Refused { message })
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, response: Response) -> Result<T, ServerError> {
        response.json().await.map_err(|source| ServerError::NotOurs { url: self.url.clone(), source })
    }
}
