//! `footnote doctor`: looks at everything that `serve` with the same options would use, and says what to do about what
//! is wrong. Exit status 0 when nothing is, 1 otherwise. It makes the data folder and the empty stores in it if
//! there are none, to see that it can; it makes no collection, and changes nothing in Qdrant. In Redis it writes
//! a key, in a cluster one for each range of slots, that expires after a minute, and the list of sessions loses those that
//! have expired, as it does under any server.

use std::process::ExitCode;

use footnote_ingest::discover::Unreached;
use footnote_knowledge::collection;
use footnote_knowledge::cross_encoder::CrossEncoder;
use footnote_knowledge::embedding::Embedder;
use footnote_knowledge::vector_store;

use crate::cli::ServeOptions;
use crate::library::{self, Library};
use crate::parts::{self, Journaling};
use crate::sessions::{self, Diagnosis, Severity};
use crate::welcome::hosts_receiving_text;
use crate::{ingesting, listening};

/// What was found about one part.
enum Finding {
    Fine(String),
    /// Works, and could be better.
    Advice(String),
    Wrong(String),
}

pub async fn examine(options: &ServeOptions) -> anyhow::Result<ExitCode> {
    let built_in = parts::built_in_embedder(&options.embedding).await?;
    let library = parts::library(options, built_in.clone());
    let mut findings = vec![("documents", documents(&library).await)];
    findings.extend(sessions(options).await.into_iter().map(|finding| ("sessions", finding)));
    let cross_encoder = parts::cross_encoder(built_in.as_deref());
    findings.extend(reranker(options, &cross_encoder).await.map(|finding| ("reranker", finding)));
    findings.push(("model", model(options, built_in.as_deref(), cross_encoder).await));
    if !options.ingest.is_empty() {
        findings.push(("ingest", ingest(options)));
    }
    findings.push(("access", access(options).await.unwrap_or_else(|error| Finding::Wrong(format!("{error:#}")))));
    findings.push(("text goes to", receivers(options)));

    let mut anything_wrong = false;
    for (part, finding) in findings {
        let (mark, text) = match finding {
            Finding::Fine(text) => ("ok    ", text),
            Finding::Advice(text) => ("advice", text),
            Finding::Wrong(text) => {
                anything_wrong = true;
                ("WRONG ", text)
            }
        };
        println!("{mark}  {part:<12}  {text}");
    }
    Ok(if anything_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn documents(library: &Library) -> Finding {
    let opened = match library.look().await {
        Ok(Some(opened)) => opened,
        Ok(None) => return empty(library),
        Err(error) => return unopened(error),
    };
    if let Err(error) = opened.check().await {
        return Finding::Wrong(chain(error));
    }
    match opened.collection.document_count().await {
        Ok(0) => empty(library),
        Ok(count) => {
            let log = match opened.collection.store().log_bytes().await {
                Ok(Some(bytes)) => format!(", {} MiB of write-ahead log", bytes >> 20),
                Ok(None) | Err(_) => String::new(),
            };
            Finding::Fine(format!("{}, {count} documents in `{}`{log}", library.kind(), opened.collection.name()))
        }
        Err(error) => Finding::Wrong(chain(error)),
    }
}

fn empty(library: &Library) -> Finding {
    let kind = library.kind();
    Finding::Advice(format!("{kind} works and is empty: `ingest PATH` or `serve --ingest PATH` brings documents in"))
}

/// A folder in use is what a running server looks like from outside, and no defect.
fn unopened(error: library::Error) -> Finding {
    match &error {
        library::Error::Collection(collection::Error::Store(vector_store::Error::InUse { folder })) => {
            Finding::Advice(format!("{} is in use by a running server; GET /readyz tells how it is", folder.display()))
        }
        library::Error::Collection(_) | library::Error::Embedding(_) => Finding::Wrong(chain(error)),
    }
}

async fn sessions(options: &ServeOptions) -> Vec<Finding> {
    let sessions = match parts::sessions(&options.sessions, &options.store.data_dir, Journaling::Off).await {
        Ok(sessions) => sessions,
        // As with the documents: in use is what a running server looks like.
        Err(error) => match error.downcast_ref() {
            Some(sessions::Error::Locked(file)) => {
                return vec![Finding::Advice(format!("{} is in use by a running server", file.display()))];
            }
            _ => return vec![Finding::Wrong(format!("{error:#}"))],
        },
    };
    if let Err(error) = sessions.check().await {
        return vec![Finding::Wrong(chain(error))];
    }
    let mut findings = vec![Finding::Fine(sessions.backend().to_string())];
    match sessions.diagnose().await {
        Ok(diagnoses) => findings.extend(diagnoses.into_iter().map(finding)),
        Err(error) => findings.push(Finding::Wrong(chain(error))),
    }
    findings
}

fn finding(diagnosis: Diagnosis) -> Finding {
    match diagnosis.severity {
        Severity::Fine => Finding::Fine(diagnosis.text),
        Severity::Advice => Finding::Advice(diagnosis.text),
        Severity::Objection => Finding::Wrong(diagnosis.text),
    }
}

/// None if there is none.
async fn reranker(options: &ServeOptions, cross_encoder: &CrossEncoder) -> Option<Finding> {
    let extractive = options.model.is_extractive(&options.openai);
    let reranker = match parts::reranker(&options.rerank, extractive, cross_encoder).transpose()? {
        Ok(reranker) => reranker,
        Err(error) => return Some(Finding::Wrong(format!("{error:#}"))),
    };
    Some(match reranker.check().await {
        Ok(()) => Finding::Fine(reranker.name().to_owned()),
        Err(error) => Finding::Wrong(format!("{}: {error:#}", reranker.name())),
    })
}

async fn model(options: &ServeOptions, built_in: Option<&Embedder>, cross_encoder: CrossEncoder) -> Finding {
    let answerer = match parts::answerer(&options.model, &options.openai, built_in, cross_encoder) {
        Ok(answerer) => answerer,
        Err(error) => return Finding::Wrong(format!("{error:#}")),
    };
    match answerer.check().await {
        Ok(()) => Finding::Fine(answerer.name().to_owned()),
        Err(error) => Finding::Wrong(format!("{}: {}", answerer.name(), chain(error))),
    }
}

fn ingest(options: &ServeOptions) -> Finding {
    match ingesting::check(&options.ingest) {
        Ok(unreached) if unreached.is_empty() => {
            Finding::Fine(format!("{} file(s) or folder(s) to ingest at start", options.ingest.len()))
        }
        Ok(unreached) => {
            let named = |Unreached { given, reason, advice }| format!("{}: {reason}; {advice}", given.display());
            Finding::Wrong(unreached.into_iter().map(named).collect::<Vec<_>>().join(", "))
        }
        Err(error) => Finding::Wrong(format!("{error:#}")),
    }
}

/// An error is what keeps the server from starting.
async fn access(options: &ServeOptions) -> anyhow::Result<Finding> {
    let ServeOptions { listen, access, .. } = options;
    access.hosts()?;
    let keys = access.keys()?.len();
    let open_to_others = listening::is_open_to_others(&listening::addresses(listen, access).await?);
    Ok(match (keys, open_to_others) {
        (0, true) => Finding::Advice(format!("no key: whoever reaches {listen} may read every document")),
        (0, false) => Finding::Fine(format!("no key needed: {listen} is reached from this machine only")),
        (keys, _) => Finding::Fine(format!("{keys} API key(s)")),
    })
}

fn receivers(options: &ServeOptions) -> Finding {
    let receivers = hosts_receiving_text(options);
    Finding::Fine(if receivers.is_empty() { "no other host".to_owned() } else { receivers.join("; ") })
}

fn chain(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}
