//! Ingesting through a running server: what is new or changed is uploaded, and the server extracts, cuts and embeds it.
//!
//! For the embedded engine, whose folder belongs to the server, and for whoever may reach a server but not its store.

mod server;
mod uploads;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use footnote_knowledge::options::EmbedderChoice;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::chunk::ChunkSettings;
use crate::discover::{self, Found, Roots};
use crate::error::{Error, Stopped};
use crate::pipeline::gone::{self, Seen};
use crate::pipeline::known::KnownDocuments;
use crate::pipeline::outage::Outages;
use crate::pipeline::prepare::{self, Changed, Reader};
use crate::pipeline::{IngestOptions, on_a_blocking_thread, receive, start_walk, threads, worth_reading, written};
use crate::report::{Event, Outcome, Progress, Recorder, Report, StageSeconds};
use server::FinishedJob;
pub use server::{Server, ServerError};
use uploads::{Batches, LargestBatch};

/// Like [`crate::ingest`], by way of a server. `max_tokens` are those that its embedder reads at once, if that is known;
/// if not, a document counts as unchanged when its content is, even if the server would read it in another way by now.
pub fn ingest_through<'a>(
    server: &'a Server,
    max_tokens: Option<usize>,
    paths: &'a [PathBuf],
    options: &'a IngestOptions,
    progress: Progress<'a>,
) -> BoxFuture<'a, Result<Report, Box<Stopped>>> {
    Box::pin(async move {
        let started = Instant::now();
        let recorder = Recorder::new(progress);
        let outcome = run(server, max_tokens, paths, options, &recorder).await;
        recorder.conclude(outcome, started, StageSeconds::default())
    })
}

/// Like [`crate::reindex`], done by the server that holds the folder, which then embeds with this embedder itself, too.
pub async fn reindex_through(
    server: &Server,
    embedder: &EmbedderChoice,
    progress: Progress<'_>,
) -> Result<Report, Error> {
    let started = Instant::now();
    let recorder = Recorder::new(progress);
    let outages = Outages::new(&recorder, IngestOptions::LONGEST_OUTAGE);
    let job = outages.wait_out(ServerError::is_transient, || server.reindex(embedder)).await?;
    let job = wait_for(server, job, &recorder, &outages).await?;
    let FinishedJob { added, unchanged, chunks, .. } = job;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Report { files: added + unchanged, added, unchanged, chunks, seconds, ..Report::default() })
}

/// The job when it is done; an error if it was given up.
async fn wait_for(
    server: &Server,
    job: Uuid,
    recorder: &Recorder<'_>,
    outages: &Outages<'_>,
) -> Result<FinishedJob, ServerError> {
    let wait = || server.finished(job, |chunks| recorder.tell(Event::Embedded { chunks }));
    let job = outages.wait_out(ServerError::is_transient, wait).await?;
    match job.error {
        Some(message) => Err(ServerError::Job { message }),
        None => Ok(job),
    }
}

async fn run(
    server: &Server,
    max_tokens: Option<usize>,
    paths: &[PathBuf],
    options: &IngestOptions,
    recorder: &Recorder<'_>,
) -> Result<(), Error> {
    let roots = discover::roots(paths, options.root_name.as_deref())?;
    let outages = Outages::new(recorder, options.longest_outage);
    let documents = outages.wait_out(ServerError::is_transient, || server.documents()).await?;
    let known = Arc::new(KnownDocuments::below(&roots.there, documents));
    let chunks = max_tokens.map(ChunkSettings::for_model);
    let run = Run {
        server,
        options,
        reader: Reader::new(chunks, Arc::clone(&known), options),
        known: &known,
        roots: &roots,
        seen: Mutex::default(),
        recorder,
        outages,
    };
    run.upload_all().await?;
    run.deal_with_gone().await
}

/// Folders are searched for no such files, but one may be named on the command line.
fn is_refused_by_name(source: &str) -> bool {
    let mut below_root = source.split('/').skip(1);
    let name = source.rsplit('/').next().unwrap_or_default();
    below_root.any(|part| part.starts_with('.')) || discover::is_left_by_an_editor(name.as_ref())
}

struct Run<'a> {
    server: &'a Server,
    options: &'a IngestOptions,
    reader: Reader,
    known: &'a KnownDocuments,
    roots: &'a Roots,
    seen: Mutex<Seen>,
    recorder: &'a Recorder<'a>,
    outages: Outages<'a>,
}

/// Uploads under way: the server embeds one while the next is read and sent.
const UPLOADS_AT_ONCE: usize = 2;

impl Run<'_> {
    async fn upload_all(&self) -> Result<(), Error> {
        let found = receive(start_walk(self.roots.clone()));
        let changed = found.map(|found| self.changed(found)).buffer_unordered(threads());
        let changed = changed.filter_map(std::future::ready);
        let batches = Batches::new(changed, LargestBatch::default());
        batches.map(Ok).try_for_each_concurrent(UPLOADS_AT_ONCE, |batch| self.upload(batch)).await
    }

    /// The file, if it is one that the server does not have like this.
    async fn changed(&self, found: Found) -> Option<Changed> {
        let candidate = worth_reading(found, &self.seen, self.options, self.recorder)?;
        let source = candidate.source.clone();
        if is_refused_by_name(&source) {
            let reason = "a server takes no hidden file, and none that an editor leaves behind".to_owned();
            self.recorder.done(source, Outcome::Failed { reason, advice: "give it another name".to_owned() });
            return None;
        }
        let (reader, extractor) = (self.reader.clone(), self.options.extractor.clone());
        let outcome = match on_a_blocking_thread(move || reader.read(prepare::open(candidate, &extractor)?)).await {
            Ok(changed) if !self.options.dry_run => return Some(changed),
            Ok(changed) => self.planned(changed.source()),
            Err(outcome) => outcome,
        };
        self.recorder.done(source, outcome);
        None
    }

    fn planned(&self, source: &str) -> Outcome {
        // Chunks are the server's business.
        written(self.known.get(source).is_some(), 0)
    }

    /// Sends files of one root, and tells what became of each.
    async fn upload(&self, batch: Vec<Changed>) -> Result<(), Error> {
        let Some(first) = batch.first() else { return Ok(()) };
        let root =
            self.roots.there.iter().find(|root| root.name == first.root()).expect("files are called after a root");
        let same_folder = self.options.root_name.is_some();
        let send = || self.server.upload(root, same_folder, first.tags(), &self.options.extract, &batch);
        let job = self.outages.wait_out(ServerError::is_transient, send).await?;
        let job = wait_for(self.server, job, self.recorder, &self.outages).await?;
        self.recorder.add_chunks(job.chunks);
        for changed in &batch {
            let source = changed.source();
            let skipped = job.skipped.iter().find(|skipped| skipped.source == source);
            let failed = job.failed.iter().find(|failure| failure.source == source);
            let outcome = match (skipped, failed) {
                (_, Some(failure)) => {
                    Outcome::Failed { reason: failure.reason.clone(), advice: failure.advice.clone() }
                }
                (Some(skipped), None) => Outcome::Skipped { reason: skipped.reason.clone() },
                (None, None) => self.planned(source),
            };
            self.recorder.done(source.to_owned(), outcome);
        }
        Ok(())
    }

    async fn deal_with_gone(&self) -> Result<(), Error> {
        let gone = gone::to_remove(&self.seen, &self.roots.there, self.known, self.options.gone, self.recorder)?;
        for source in gone {
            if let Some(known) = self.known.get(&source).filter(|_| !self.options.dry_run) {
                let delete = || self.server.delete(known.id);
                self.outages.wait_out(ServerError::is_transient, delete).await?;
            }
            self.recorder.done(source, Outcome::Removed);
        }
        Ok(())
    }
}
