//! What a client is told of each failure below `http`.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use footnote_knowledge::collection;

use super::ApiError;
use crate::{chat, library, llm, retrieval, sessions};

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is larger than this route takes: 1 MiB, or --max-upload for an upload; send less",
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
                bad_gateway(
                    "the model reached its limit of tokens before the first word of an answer; nothing was saved. The \
                     operator lets it write more tokens, or chooses a model that thinks less before it answers",
                )
            }
            llm::Error::Empty(llm::Finish::Filtered) => {
                bad_gateway(
                    "the model's content filter withheld the whole answer; nothing was saved, so ask in other words",
                )
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
