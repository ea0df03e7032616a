//! Every failure a client can meet, as RFC 9457 problem details. The one place that knows status codes.
//!
//! Policy: a 4xx says what was wrong with the request, names the field, and says what to send instead. A 5xx says which
//! part failed and what the client or the operator can do; its cause goes to the log under the same `request_id` and
//! never to the client.

use std::error::Error as StdError;
use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, IntoResponseParts};
use serde::Serialize;

use crate::{chat, library, llm, retrieval, sessions};
use footnote_knowledge::collection;

/// A failed request: what the client is told, and the cause that only the log is told.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    retry_after_seconds: Option<u64>,
    /// Something the server depends on failed, whatever the status says of whose turn it is.
    is_failure: bool,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The body of a failed request, `application/problem+json`.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let is_failure = status.is_server_error();
        Self { status, code, detail: detail.into(), field: None, retry_after_seconds: None, is_failure, cause: None }
    }

    fn caused_by(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    fn into_failure(mut self) -> Self {
        self.is_failure = true;
        self
    }

    pub fn invalid_json(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", detail)
    }

    pub fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail);
        error.field = Some(field.into());
        error
    }

    fn invalid_cursor() -> Self {
        Self::invalid_field("cursor", "`cursor` is not one that this server gave; leave it out to begin anew")
    }

    pub fn unsupported_media_type() -> Self {
        let detail = "the body is not JSON by its header; send it as `application/json`, or documents as a form";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    pub fn body_too_slow() -> Self {
        let detail = "the body did not arrive in time; send it whole, with its Content-Length";
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
    }

    pub fn unauthorized() -> Self {
        let detail = "this server needs a key; send `Authorization: Bearer KEY` with one that it knows";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub fn foreign_origin(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", detail)
    }

    pub fn loopback_only() -> Self {
        let detail = "without an API key, sessions are listed to this machine only; start the server with --api-key";
        Self::new(StatusCode::FORBIDDEN, "loopback_only", detail)
    }

    pub fn local_token_only() -> Self {
        let detail = "only a program on the server's machine may do this, which can read server.json in its data folder: \
                      run `ingest --reindex` there";
        Self::new(StatusCode::FORBIDDEN, "local_token_only", detail)
    }

    pub fn unknown_route(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is nothing at {path}; the README lists the routes"),
        )
    }

    pub fn no_such(what: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no {what} {id}; GET /{what}s lists those there are"),
        )
    }

    pub fn no_such_job(id: &str) -> Self {
        let detail = format!("there is no job {id} on this server; a job is kept for a day after it is done");
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Of a form that is no form, is too large or broke off; `status` is what its reader makes of it.
    pub fn broken_upload(status: StatusCode, message: String) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            let detail =
                "the upload is larger than this server takes; send it in several requests, or raise --max-upload";
            Self::new(status, "body_too_large", detail)
        } else {
            Self::invalid_field("body", format!("the form did not arrive whole: {message}"))
        }
    }

    /// An upload that cannot be written down.
    pub fn cannot_keep(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::internal("the upload cannot be kept; the operator finds the reason in the log").caused_by(cause)
    }

    pub fn method_not_allowed(method: &str, path: &str) -> Self {
        let detail = format!("{path} does not take {method}; the Allow header lists what it takes");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Whether whoever runs the server should hear of it; if not, it is the client's mistake.
    pub fn is_failure(&self) -> bool {
        self.is_failure
    }

    /// What to log and never to send: the whole chain of causes.
    pub fn cause_chain(&self) -> Option<String> {
        let mut link: Option<&(dyn StdError + 'static)> = self.cause.as_deref().map(|cause| cause as _);
        let mut chain = Vec::new();
        while let Some(cause) = link {
            chain.push(cause.to_string());
            link = cause.source();
        }
        (!chain.is_empty()).then(|| chain.join(": "))
    }

    pub fn problem<'a>(&'a self, request_id: &'a str) -> Problem<'a> {
        Problem {
            // RFC 9457: the type is `about:blank` when the status and the code say it all.
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            field: self.field.as_deref(),
        }
    }
}

/// Carries the error to the outermost layer, which alone knows the request's id, logs the cause and writes the body.
impl IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives a response that carries an [`ApiError`] its body.
pub(super) fn write_problem<Body: From<Vec<u8>>>(response: &mut Response<Body>, error: &ApiError, request_id: &str) {
    let body = serde_json::to_vec(&error.problem(request_id)).expect("a problem is strings and numbers");
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    if error.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Work that goes on: where to look for its end, and how it stands.
pub(super) fn accepted(headers: impl IntoResponseParts, body: impl IntoResponse) -> axum::response::Response {
    (StatusCode::ACCEPTED, headers, body).into_response()
}

/// A dependency without which no question can be answered is missing: what `/readyz` says with its body.
pub(super) fn not_ready(body: impl IntoResponse) -> axum::response::Response {
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is larger than this route takes; send less",
            )
        } else {
            Self::invalid_json("the body did not arrive whole; send it again").caused_by(rejection)
        }
    }
}

impl From<chat::Error> for ApiError {
    fn from(error: chat::Error) -> Self {
        match error {
            chat::Error::Retrieval(error) => error.into(),
            chat::Error::Model(error) => error.into(),
            chat::Error::InFlight => {
                let detail = "this request is being answered; send it again in a moment for its answer";
                Self::new(StatusCode::CONFLICT, "idempotency_in_flight", detail).retry_after(1)
            }
            chat::Error::OtherRequest => {
                let detail = "another request had this Idempotency-Key; give each request a key of its own";
                let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch", detail);
                error.field = Some("Idempotency-Key".to_owned());
                error
            }
            chat::Error::Stopping => {
                let detail = "the server was stopped before the answer was complete; nothing was saved, so ask again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_stopping", detail).retry_after(1)
            }
            chat::Error::UnreadableAnswer(_) => {
                Self::internal("the answer kept for this request cannot be read; send it under a new Idempotency-Key")
                    .caused_by(error)
            }
        }
    }
}

impl From<retrieval::Error> for ApiError {
    fn from(error: retrieval::Error) -> Self {
        match &error {
            retrieval::Error::Library(cause) => match cause.as_ref() {
                library::Error::Embedding(_) => Self::embedding_unavailable(),
                library::Error::Collection(cause) => Self::from_collection(cause),
            },
            retrieval::Error::Embedding(_) => Self::embedding_unavailable(),
            retrieval::Error::Search(cause) => Self::from_collection(cause),
        }
        .caused_by(error)
    }
}

impl From<Arc<library::Error>> for ApiError {
    fn from(error: Arc<library::Error>) -> Self {
        retrieval::Error::Library(error).into()
    }
}

impl From<collection::Error> for ApiError {
    fn from(error: collection::Error) -> Self {
        Self::from_collection(&error).caused_by(error)
    }
}

impl ApiError {
    fn embedding_unavailable() -> Self {
        let detail = "the embedding model did not answer, so the documents cannot be searched; try again shortly";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "embedding_unavailable", detail).retry_after(1)
    }

    fn from_collection(error: &collection::Error) -> Self {
        if let collection::Error::InvalidCursor { .. } = error {
            return Self::invalid_cursor();
        }
        let detail = if error.is_transient() {
            "the vector store did not answer; try again shortly"
        } else {
            "the vector store cannot be used as it is; the operator finds the reason in the log and in `footnote doctor`"
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "vector_store_unavailable", detail).retry_after(1)
    }
}

/// For a model that does not say how long it wants to be left alone.
const MODEL_PAUSE_SECONDS: u64 = 5;

impl From<llm::Error> for ApiError {
    fn from(error: llm::Error) -> Self {
        let bad_gateway = |detail: &str| Self::new(StatusCode::BAD_GATEWAY, "model_error", detail);
        match &error {
            llm::Error::Timeout { .. } => {
                let detail = "the model did not answer in time; nothing was saved, so the question can be asked again";
                Self::new(StatusCode::GATEWAY_TIMEOUT, "model_timeout", detail)
            }
            llm::Error::RateLimited { retry_after, .. } => {
                // Rounded up: a client that comes back early is refused again.
                let seconds = retry_after.map_or(MODEL_PAUSE_SECONDS, |pause| pause.as_secs_f64().ceil() as u64);
                let detail = format!("the model is rate limited; nothing was saved, so ask again in {seconds} s");
                Self::new(StatusCode::TOO_MANY_REQUESTS, "model_rate_limited", detail).retry_after(seconds).into_failure()
            }
            llm::Error::Rejected { .. } => {
                bad_gateway("the model refused this server's key or request; the operator finds the reason in the log")
            }
            llm::Error::QuestionTooLong { tokens, limit } => {
                let detail = format!(
                    "`message` and the instructions have {tokens} tokens, too many for a prompt of {limit} with a passage; \
                     ask in fewer words, or raise --context-tokens if the model reads more"
                );
                Self::invalid_field("message", detail)
            }
            llm::Error::TooLong { .. } => bad_gateway(
                "the message, its sources and the conversation are together longer than the model can read; nothing was \
                 saved, so ask with a smaller `top_k`, with `\"use_history\": false`, or in fewer words",
            ),
            llm::Error::Empty(llm::Finish::TokenLimit) => {
                bad_gateway("the model reached its limit of tokens before the first word of an answer; nothing was saved")
            }
            llm::Error::Empty(llm::Finish::Filtered) => {
                bad_gateway("the model's content filter withheld the whole answer; nothing was saved")
            }
            llm::Error::Empty(llm::Finish::Complete) => {
                bad_gateway("the model answered without a word; nothing was saved, so the question can be asked again")
            }
            llm::Error::Embedding(_) => Self::embedding_unavailable(),
            llm::Error::Unavailable { .. } => {
                bad_gateway("the model could not be reached or failed; ask again shortly")
            }
            llm::Error::InvalidResponse { .. } => bad_gateway(
                "what came from the model's address is no chat completion; nothing was saved. The operator finds more in \
                 the log, and checks the address with `footnote doctor`",
            ),
            llm::Error::Interrupted { .. } => {
                bad_gateway("the model stopped half-way; nothing was saved, so the question can be asked again")
            }
        }
        .caused_by(error)
    }
}

impl From<sessions::Error> for ApiError {
    fn from(error: sessions::Error) -> Self {
        use sessions::Error as Session;
        let unavailable = |code: &'static str, detail: &str| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        match &error {
            Session::InvalidCursor => return Self::invalid_cursor(),
            Session::InvalidMetadata(reason) => return Self::invalid_field("metadata", format!("`metadata` {reason}")),
            Session::InvalidSession(reason) => return Self::invalid_field("body", reason.as_str()),
            // Waiting does not mend it, so there is no `Retry-After`.
            Session::Damaged(_) => unavailable(
                "session_damaged",
                "part of this session is missing in the session store; delete it to begin anew",
            ),
            Session::Unavailable(_)
            | Session::Timeout
            | Session::Full(_)
            | Session::ReadOnly(_)
            | Session::Denied(_)
            | Session::Failed(_)
            | Session::InvalidUrl(_)
            | Session::Locked(_)
            | Session::Corrupt { .. }
            | Session::CannotOpen { .. } => unavailable(
                "session_store_unavailable",
                "the session store did not answer, so what the session holds is not known; try again shortly",
            )
            .retry_after(1),
        }
        .caused_by(error)
    }
}
