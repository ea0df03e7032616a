//! Whether questions can be answered, dependency by dependency: what `/readyz` and `doctor` report.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use crate::ingesting::{Ingesting, IngestingState};
use crate::library::Library;
use crate::llm::Answerer;
use crate::retrieval::Reranker;
use crate::sessions::{Sessions, WaitingTurns};

/// A dependency that says nothing for this long is reported as down.
const LONGEST_CHECK: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
pub struct Readiness {
    pub status: Status,
    pub documents: Dependency,
    pub sessions: SessionStore,
    pub model: Dependency,
    /// Null where there is none. Without it questions are answered from passages in the order of the search.
    pub reranker: Option<Dependency>,
    /// Null when this server was not asked to ingest anything.
    pub ingesting: Option<IngestingState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ready,
    /// Answers, and more documents are on their way.
    Ingesting,
    /// Answers, but turns are not persisted at the moment.
    Degraded,
    NotReady,
}

/// One thing the server depends on.
#[derive(Debug, Serialize)]
pub struct Dependency {
    pub kind: String,
    pub ok: bool,
    /// What is wrong and what to do, when something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct SessionStore {
    #[serde(flatten)]
    pub dependency: Dependency,
    pub waiting: WaitingTurns,
}

impl Readiness {
    /// An outage of the session store is no reason to send a question elsewhere: it is answered, and says so.
    pub fn can_answer(&self) -> bool {
        match self.status {
            Status::Ready | Status::Ingesting | Status::Degraded => true,
            Status::NotReady => false,
        }
    }
}

pub async fn check(
    library: &Library,
    sessions: &Sessions,
    answerer: &Answerer,
    reranker: Option<&Reranker>,
    ingesting: &Ingesting,
) -> Readiness {
    // Boxed: together they would make every caller's future 20 KB.
    let (documents, session_store, model) = tokio::join!(
        Box::pin(within_deadline(library.check())),
        Box::pin(within_deadline(sessions.check())),
        Box::pin(within_deadline(answerer.check())),
    );
    let documents = dependency(library.kind().to_owned(), documents);
    let sessions = SessionStore {
        dependency: dependency(sessions.backend().to_string(), session_store),
        waiting: sessions.waiting(),
    };
    let model = dependency(answerer.name().to_owned(), model);
    let reranker = reranker.map(|reranker| dependency(reranker.name().to_owned(), last_heard(reranker)));
    let ingesting = ingesting.state();
    let status = match (documents.ok && model.ok, sessions.dependency.ok, &ingesting) {
        (false, _, _) => Status::NotReady,
        (true, false, _) => Status::Degraded,
        (true, true, Some(state)) if state.running => Status::Ingesting,
        (true, true, _) => Status::Ready,
    };
    Readiness { status, documents, sessions, model, reranker, ingesting }
}

/// What is known of it: an endpoint may want to be paid for each question, and this is asked every few seconds.
fn last_heard(reranker: &Reranker) -> Result<(), anyhow::Error> {
    ensure!(reranker.is_heard(), "it failed when it was asked last; the log says why");
    Ok(())
}

async fn within_deadline<Failure: Into<anyhow::Error>>(
    check: impl Future<Output = Result<(), Failure>>,
) -> Result<(), anyhow::Error> {
    match tokio::time::timeout(LONGEST_CHECK, check).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(anyhow::anyhow!("no answer within {} s", LONGEST_CHECK.as_secs())),
    }
}

fn dependency(kind: String, checked: Result<(), anyhow::Error>) -> Dependency {
    let detail = checked.err().map(|error| format!("{error:#}"));
    Dependency { kind, ok: detail.is_none(), detail }
}
