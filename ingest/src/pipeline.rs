//! The run as a whole: discover → prepare (read, extract, chunk) → embed → index, all at work at once with short queues
//! between them. Files overtake each other; what the collection holds in the end does not depend on it.

mod bulk;
mod busy;
mod claim;
mod embed;
pub(crate) mod gone;
pub(crate) mod known;
mod options;
pub(crate) mod outage;
pub(crate) mod prepare;
mod vectors;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use footnote_knowledge::collection::{self, Collection};
use footnote_knowledge::embedding::Embedder;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::chunk::ChunkSettings;
use crate::discover::{self, Candidate, Found, Root, Roots};
use crate::error::{Error, Stopped, is_about_one_document, with_cause};
use crate::report::{Event, Outcome, Progress, Recorder, Report};
use bulk::Bulk;
use busy::BusyStages;
use embed::Embedded;
use gone::Seen;
use known::KnownDocuments;
pub use options::{GoneDocuments, IngestOptions, Origin};
use outage::Outages;
use prepare::{Cutter, Prepared, Reader};
use vectors::Vectors;

/// Files that the walk may be ahead by.
const FOUND_AHEAD: usize = 256;
/// Prepared documents that wait to be embedded, and embedded ones that wait to be written.
const DOCUMENTS_AHEAD: usize = 4;
/// Small documents have fewer chunks than there are cores, so several are embedded at a time.
const EMBEDDED_AT_ONCE: usize = 8;
/// Documents written at the same time share the wait for the disk or the network.
const INDEXED_AT_ONCE: usize = 32;
/// Bytes of memory for files between being read and being written, by what each format is expected to take.
const MEMORY_UNDER_WAY: usize = 128 << 20;

/// Brings the collection up to date with the files at `paths`, and tells `progress` about it.
///
/// Files whose content, extractor and chunker are those of the last run are left alone. A file that cannot be read costs
/// itself only and is in the report; what concerns every file ends the run, and what was written until then stays: each
/// document is there whole or not at all, and the next run goes on.
///
/// Dropping the future ends the run the same way.
pub fn ingest<'a>(
    paths: &'a [PathBuf],
    knowledge: &'a Collection,
    embedder: &'a Embedder,
    options: &'a IngestOptions,
    progress: Progress<'a>,
) -> BoxFuture<'a, Result<Report, Box<Stopped>>> {
    Box::pin(async move {
        let started = Instant::now();
        let recorder = Recorder::new(progress);
        let busy = BusyStages::default();
        let outcome = run(paths, knowledge, embedder, options, &recorder, &busy).await;
        recorder.conclude(outcome, started, busy.seconds())
    })
}

async fn run(
    paths: &[PathBuf],
    knowledge: &Collection,
    embedder: &Embedder,
    options: &IngestOptions,
    recorder: &Recorder<'_>,
    busy: &BusyStages,
) -> Result<(), Error> {
    let roots = discover::roots(paths, options.root_name.as_deref())?;
    let outages = Outages::new(recorder, options.longest_outage);
    claim_names(&roots.there, knowledge, options, &outages).await?;
    let known = Arc::new(known_documents(&roots, knowledge, options, &outages).await?);
    let settings = ChunkSettings::for_model(embedder.max_tokens());
    let reader = Reader::new(Some(settings), Arc::clone(&known), options);
    let cutter = Cutter::new(settings, embedder.tokenizer().clone());
    let run = Run {
        knowledge,
        embedder,
        options,
        reader,
        cutter,
        roots: &roots.there,
        known: &known,
        vectors: Vectors::default(),
        seen: Mutex::default(),
        under_way: Arc::new(Semaphore::new(MEMORY_UNDER_WAY)),
        bulk: Bulk::default(),
        recorder,
        outages,
        busy,
    };
    let (to_embed, prepared) = mpsc::channel(DOCUMENTS_AHEAD);
    let (to_index, embedded) = mpsc::channel(DOCUMENTS_AHEAD);
    let all = tokio::try_join!(
        run.prepare_all(start_walk(roots.clone()), to_embed),
        run.embed_all(prepared, to_index),
        run.index_all(embedded)
    );
    let ended = run.end_bulk().await;
    all?;
    ended?;
    run.deal_with_gone().await
}

/// Before anything is written, so that two folders of one name cannot both begin.
async fn claim_names(
    roots: &[Root],
    knowledge: &Collection,
    options: &IngestOptions,
    outages: &Outages<'_>,
) -> Result<(), Error> {
    let check = || claim::check(knowledge, roots, options);
    for claim in outages.wait_out(Error::is_transient, check).await? {
        if options.dry_run {
            continue;
        }
        let record = || claim.record(knowledge);
        outages.wait_out(collection::Error::is_transient, record).await?;
    }
    Ok(())
}

/// As many as there may be to do with: of what was sent here, only those of the same sources.
async fn known_documents(
    roots: &Roots,
    knowledge: &Collection,
    options: &IngestOptions,
    outages: &Outages<'_>,
) -> Result<KnownDocuments, Error> {
    let is_transient = collection::Error::is_transient;
    Ok(match &options.origin {
        Origin::Folders => outages.wait_out(is_transient, || KnownDocuments::read(knowledge, &roots.there)).await?,
        Origin::Sent { .. } => {
            let found = receive(start_walk(roots.clone()));
            let sources: Vec<String> = found.map(|found| found.source().to_owned()).collect().await;
            outages.wait_out(is_transient, || KnownDocuments::read_only(knowledge, &sources)).await?
        }
    })
}

/// Walks on a thread of its own, until the receiver is dropped.
pub(crate) fn start_walk(roots: Roots) -> mpsc::Receiver<Found> {
    let (found, receiver) = mpsc::channel(FOUND_AHEAD);
    tokio::task::spawn_blocking(move || discover::walk(&roots, |next| found.blocking_send(next).is_ok()));
    receiver
}

pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Takes its share of [`MEMORY_UNDER_WAY`] from being read to being dropped.
struct UnderWay<T> {
    document: T,
    share: OwnedSemaphorePermit,
}

struct Run<'a> {
    knowledge: &'a Collection,
    embedder: &'a Embedder,
    options: &'a IngestOptions,
    reader: Reader,
    cutter: Cutter,
    roots: &'a [Root],
    known: &'a KnownDocuments,
    vectors: Vectors,
    seen: Mutex<Seen>,
    under_way: Arc<Semaphore>,
    bulk: Bulk,
    recorder: &'a Recorder<'a>,
    outages: Outages<'a>,
    busy: &'a BusyStages,
}

impl Run<'_> {
    async fn prepare_all(
        &self,
        mut found: mpsc::Receiver<Found>,
        to_embed: mpsc::Sender<UnderWay<Prepared>>,
    ) -> Result<(), Error> {
        let mut files = 0;
        let candidates = stream::poll_fn(|context| {
            let next = found.poll_recv(context);
            if let std::task::Poll::Ready(None) = next {
                self.recorder.tell(Event::DiscoveryDone { files });
            } else if next.is_ready() {
                files += 1;
            }
            next
        });
        let worth_reading = candidates
            .filter_map(|found| std::future::ready(worth_reading(found, &self.seen, self.options, self.recorder)));
        let prepare = |candidate| async {
            if let Some(document) = self.prepare(candidate).await {
                // The stages after this one may have ended with an error of their own.
                let _ = to_embed.send(document).await;
            }
        };
        worth_reading.for_each_concurrent(threads(), prepare).await;
        Ok(())
    }

    async fn prepare(&self, candidate: Candidate) -> Option<UnderWay<Prepared>> {
        let source = candidate.source.clone();
        match self.try_to_prepare(candidate).await {
            Ok(prepared) => {
                let chunks = prepared.document.passages.len();
                if self.options.dry_run {
                    self.recorder.done(source, written(prepared.document.replaces, chunks));
                    return None;
                }
                self.recorder.tell(Event::Chunked { source, chunks });
                Some(prepared)
            }
            Err(outcome) => {
                self.recorder.done(source, outcome);
                None
            }
        }
    }

    async fn try_to_prepare(&self, candidate: Candidate) -> Result<UnderWay<Prepared>, Outcome> {
        // Most of what is no document needs no more than its first bytes to be recognised, and waits for nothing.
        let extractor = self.options.extractor.clone();
        let opened = on_a_blocking_thread(move || prepare::open(candidate, &extractor)).await?;
        // One file that needs more than the whole share takes all of it.
        let memory = opened.memory().clamp(1, MEMORY_UNDER_WAY);
        let permits = u32::try_from(memory).expect("the share is below 4 GiB");
        let share = Arc::clone(&self.under_way).acquire_many_owned(permits).await.expect("never closed");
        let _busy = self.busy.preparing.begin();
        let reader = self.reader.clone();
        let mut changed = on_a_blocking_thread(move || reader.read(opened)).await?;
        let bytes = std::mem::take(&mut changed.bytes);
        let extracted =
            self.options.extractor.extract(changed.source(), changed.format, bytes, &self.options.extract).await;
        let cutter = self.cutter.clone();
        let document = on_a_blocking_thread(move || cutter.cut(changed, extracted)).await?;
        Ok(UnderWay { document, share })
    }

    async fn embed_all(
        &self,
        prepared: mpsc::Receiver<UnderWay<Prepared>>,
        to_index: mpsc::Sender<UnderWay<Embedded>>,
    ) -> Result<(), Error> {
        // Each waits for its place in the next stage by itself, while the others go on. Were the stage to wait for one of
        // them, a turn to read from the store could be given to another, which nobody would be looking at, and the next
        // stage would wait for that turn.
        let embed = |document| async {
            if let Some(document) = self.embed(document).await? {
                let _ = to_index.send(document).await;
            }
            Ok(())
        };
        receive(prepared).map(Ok).try_for_each_concurrent(EMBEDDED_AT_ONCE, embed).await
    }

    async fn index_all(&self, embedded: mpsc::Receiver<UnderWay<Embedded>>) -> Result<(), Error> {
        receive(embedded).map(Ok).try_for_each_concurrent(INDEXED_AT_ONCE, |document| self.index(document)).await
    }

    async fn index(&self, embedded: UnderWay<Embedded>) -> Result<(), Error> {
        let UnderWay { document: Embedded { document, replaces }, share: _share } = embedded;
        let _busy = self.busy.indexing.begin();
        let write = || self.knowledge.replace_document(&document);
        let outcome = match self.outages.wait_out(collection::Error::is_transient, write).await {
            Ok(document) => {
                self.begin_bulk_with(document.chunk_count).await?;
                written(replaces, document.chunk_count)
            }
            Err(error) if is_about_one_document(&error) => {
                let advice = "run ingest again; if it fails again, delete the document and ingest it anew".to_owned();
                Outcome::Failed { reason: with_cause(&error), advice }
            }
            Err(error) => return Err(error.into()),
        };
        self.recorder.done(document.source, outcome);
        Ok(())
    }

    async fn begin_bulk_with(&self, chunks: usize) -> Result<(), Error> {
        if self.bulk.begins_with(chunks) {
            let defer = || self.knowledge.defer_indexing();
            self.outages.wait_out(collection::Error::is_transient, defer).await?;
        }
        Ok(())
    }

    async fn end_bulk(&self) -> Result<(), Error> {
        if self.bulk.has_begun() {
            let resume = || self.knowledge.resume_indexing();
            self.outages.wait_out(collection::Error::is_transient, resume).await?;
        }
        Ok(())
    }

    /// After all else: a file that was only moved has arrived in its new place by now.
    async fn deal_with_gone(&self) -> Result<(), Error> {
        let gone = gone::to_remove(&self.seen, self.roots, self.known, self.options.gone, self.recorder)?;
        for source in gone {
            if !self.options.dry_run {
                let id = self.knowledge.document_id(&source);
                let delete = || self.knowledge.delete_document(id);
                self.outages.wait_out(collection::Error::is_transient, delete).await?;
            }
            self.recorder.done(source, Outcome::Removed);
        }
        Ok(())
    }
}

/// A file that may be new or changed goes on; what else was found is done with.
pub(crate) fn worth_reading(
    found: Found,
    seen: &Mutex<Seen>,
    options: &IngestOptions,
    recorder: &Recorder<'_>,
) -> Option<Candidate> {
    seen.lock().unwrap_or_else(PoisonError::into_inner).note(&found);
    let source = found.source().to_owned();
    let outcome = match found.file() {
        Ok(candidate) => {
            recorder.tell(Event::Discovered { source: source.clone(), bytes: candidate.bytes });
            if !options.is_unchanged(&candidate) {
                return Some(candidate);
            }
            Outcome::Unchanged
        }
        Err(outcome) => outcome,
    };
    recorder.done(source, outcome);
    None
}

pub(crate) fn written(replaces: bool, chunks: usize) -> Outcome {
    if replaces { Outcome::Updated { chunks } } else { Outcome::Added { chunks } }
}

/// Reading and parsing never run on an async worker.
pub(crate) async fn on_a_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Outcome> + Send + 'static,
) -> Result<T, Outcome> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(prepare::panicked()))
}

pub(crate) fn receive<T>(mut receiver: mpsc::Receiver<T>) -> impl stream::Stream<Item = T> {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}
