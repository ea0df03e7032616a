//! The run as a whole: discover → prepare (extract, chunk) → embed → index, all at work at once with short queues between
//! them. Files overtake each other; what the collection holds in the end does not depend on it.

mod busy;
mod known;
mod prepare;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use footnote_knowledge::collection::{Collection, NewChunk, NewDocument, embedded_text};
use footnote_knowledge::embedding::{self, Embedder};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::chunk::{ChunkSettings, Passage};
use crate::discover::{self, Candidate, Found, Root};
use crate::error::{Error, is_store_unreachable};
use crate::report::{Event, Outcome, Recorder, Report, StageSeconds};
use busy::BusyTime;
use known::KnownDocuments;
use prepare::{Prepared, Preparer};

/// Files that the walk may be ahead by.
const FOUND_AHEAD: usize = 256;
/// Prepared documents that wait to be embedded, and embedded ones that wait to be written.
const DOCUMENTS_AHEAD: usize = 4;
/// Small documents have fewer chunks than there are cores, so several are embedded at a time.
const EMBEDDED_AT_ONCE: usize = 8;
/// Chunks handed to the embedder at once, and batches of one document under way at the same time: the next begins
/// before the last chunk of the one before is done.
const CHUNKS_AT_ONCE: usize = 32;
const BATCHES_AT_ONCE: usize = 2;
/// Documents written at the same time share the wait for the disk or the network.
const INDEXED_AT_ONCE: usize = 8;
/// Bytes of files between being read and being written. Text, chunks and vectors take a few times as much.
const BYTES_UNDER_WAY: usize = 32 << 20;

#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// First part of every source, in place of the folder's name.
    pub root_name: Option<String>,
    /// Given, they replace the tags that the documents have; without, those stay.
    pub tags: Vec<String>,
}

/// Brings the collection up to date with the files at `paths`, and tells `progress` about it.
///
/// Files whose content, extractor and chunker are those of the last run are left alone. A file that cannot be read costs
/// itself only and is in the report; an error ends the run, and what was written until then stays: each document is
/// there whole or not at all, and the next run goes on.
///
/// Dropping the future ends the run the same way.
pub async fn ingest(
    paths: &[PathBuf],
    knowledge: &Collection,
    embedder: &Embedder,
    options: &IngestOptions,
    progress: impl Fn(Event) + Send + Sync,
) -> Result<Report, Error> {
    let started = Instant::now();
    let roots = discover::roots(paths, options.root_name.as_deref())?;
    let known = KnownDocuments::read(knowledge, &roots).await?;
    let settings = ChunkSettings::for_model(embedder.max_tokens());
    let run = Run {
        knowledge,
        embedder,
        preparer: Preparer::new(settings, embedder.tokenizer().clone(), known, &options.tags),
        under_way: Arc::new(Semaphore::new(BYTES_UNDER_WAY)),
        recorder: Recorder::new(progress),
        preparing: BusyTime::default(),
        embedding: BusyTime::default(),
        indexing: BusyTime::default(),
    };
    let (to_embed, prepared) = mpsc::channel(DOCUMENTS_AHEAD);
    let (to_index, embedded) = mpsc::channel(DOCUMENTS_AHEAD);
    tokio::try_join!(
        run.prepare_all(start_walk(roots), to_embed),
        run.embed_all(prepared, to_index),
        run.index_all(embedded)
    )?;
    let stages = StageSeconds {
        prepare: run.preparing.seconds(),
        embed: run.embedding.seconds(),
        index: run.indexing.seconds(),
    };
    Ok(run.recorder.finish(started.elapsed().as_secs_f64(), stages))
}

/// Walks on a thread of its own, until the receiver is dropped.
fn start_walk(roots: Vec<Root>) -> mpsc::Receiver<Found> {
    let (found, receiver) = mpsc::channel(FOUND_AHEAD);
    tokio::task::spawn_blocking(move || discover::walk(&roots, |next| found.blocking_send(next).is_ok()));
    receiver
}

/// Takes its share of [`BYTES_UNDER_WAY`] from being read to being dropped.
struct UnderWay<T> {
    document: T,
    share: OwnedSemaphorePermit,
}

struct Run<'a, Progress> {
    knowledge: &'a Collection,
    embedder: &'a Embedder,
    preparer: Preparer,
    under_way: Arc<Semaphore>,
    recorder: Recorder<Progress>,
    preparing: BusyTime,
    embedding: BusyTime,
    indexing: BusyTime,
}

impl<Progress: Fn(Event)> Run<'_, Progress> {
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
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let prepared = candidates
            .filter_map(|found| std::future::ready(self.candidate(found)))
            .map(|candidate| self.prepare(candidate));
        let mut prepared = std::pin::pin!(prepared.buffer_unordered(threads));
        while let Some(next) = prepared.next().await {
            if let Some(document) = next
                && to_embed.send(document).await.is_err()
            {
                // The stages after this one ended with an error of their own.
                break;
            }
        }
        Ok(())
    }

    /// Files go on; what else was found is done with.
    fn candidate(&self, found: Found) -> Option<Candidate> {
        match found {
            Found::File(candidate) => {
                let (source, bytes) = (candidate.source.clone(), candidate.bytes);
                self.recorder.tell(Event::Discovered { source, bytes });
                return Some(candidate);
            }
            Found::Skipped { source, reason } => self.recorder.done(source, Outcome::Skipped { reason }),
            Found::Unreadable { source, reason, advice } => {
                self.recorder.done(source, Outcome::Failed { reason, advice });
            }
        }
        None
    }

    async fn prepare(&self, candidate: Candidate) -> Option<UnderWay<Prepared>> {
        // One file larger than the whole share takes all of it.
        let bytes = usize::try_from(candidate.bytes).unwrap_or(usize::MAX).clamp(1, BYTES_UNDER_WAY);
        let permits = u32::try_from(bytes).expect("the share is below 4 GiB");
        let share = Arc::clone(&self.under_way).acquire_many_owned(permits).await.expect("never closed");
        let _busy = self.preparing.begin();
        let preparer = self.preparer.clone();
        let source = candidate.source.clone();
        let prepared = tokio::task::spawn_blocking(move || preparer.prepare(&candidate)).await;
        match prepared.unwrap_or_else(|_| Err(prepare::panicked())) {
            Ok(document) => {
                self.recorder.tell(Event::Chunked { source, chunks: document.passages.len() });
                Some(UnderWay { document, share })
            }
            Err(outcome) => {
                self.recorder.done(source, outcome);
                None
            }
        }
    }

    async fn embed_all(
        &self,
        prepared: mpsc::Receiver<UnderWay<Prepared>>,
        to_index: mpsc::Sender<UnderWay<Embedded>>,
    ) -> Result<(), Error> {
        let documents = receive(prepared).map(|document| self.embed(document));
        let mut embedded = std::pin::pin!(documents.buffer_unordered(EMBEDDED_AT_ONCE));
        while let Some(document) = embedded.try_next().await? {
            if let Some(document) = document
                && to_index.send(document).await.is_err()
            {
                break;
            }
        }
        Ok(())
    }

    async fn embed(&self, prepared: UnderWay<Prepared>) -> Result<Option<UnderWay<Embedded>>, Error> {
        let UnderWay { document, share } = prepared;
        let _busy = self.embedding.begin();
        let batches: Vec<Vec<String>> =
            document.passages.chunks(CHUNKS_AT_ONCE).map(|batch| texts(&document, batch)).collect();
        let batches = stream::iter(batches).map(async |texts| {
            let embeddings = self.embedder.embed_documents(texts).await?;
            self.recorder.tell(Event::Embedded { chunks: embeddings.len() });
            Ok(embeddings)
        });
        let embeddings: Result<Vec<_>, embedding::Error> = batches.buffered(BATCHES_AT_ONCE).try_collect().await;
        match embeddings {
            Ok(embeddings) => {
                let document = document.with_embeddings(embeddings.into_iter().flatten());
                Ok(Some(UnderWay { document, share }))
            }
            // The endpoint answers, but not for this text.
            Err(error @ embedding::Error::Rejected { .. }) => {
                let advice = "look at the endpoint's own log, and at what is unusual about this file".to_owned();
                self.recorder.done(document.source, Outcome::Failed { reason: with_cause(&error), advice });
                Ok(None)
            }
            Err(source) => Err(Error::Embedding { source_name: document.source, source }),
        }
    }

    async fn index_all(&self, embedded: mpsc::Receiver<UnderWay<Embedded>>) -> Result<(), Error> {
        receive(embedded).map(Ok).try_for_each_concurrent(INDEXED_AT_ONCE, |document| self.index(document)).await
    }

    async fn index(&self, embedded: UnderWay<Embedded>) -> Result<(), Error> {
        let UnderWay { document: Embedded { document, replaces }, share: _share } = embedded;
        let _busy = self.indexing.begin();
        let source = document.source.clone();
        let outcome = match self.knowledge.replace_document(document).await {
            Ok(document) if replaces => Outcome::Updated { chunks: document.chunk_count },
            Ok(document) => Outcome::Added { chunks: document.chunk_count },
            Err(error) if is_store_unreachable(&error) => return Err(error.into()),
            Err(error) => {
                let advice = "run ingest again; if it fails again, see the log of the vector store".to_owned();
                Outcome::Failed { reason: with_cause(&error), advice }
            }
        };
        self.recorder.done(source, outcome);
        Ok(())
    }
}

/// What is embedded of each passage.
fn texts(document: &Prepared, passages: &[Passage]) -> Vec<String> {
    let text = |passage: &Passage| embedded_text(&document.title, passage.heading.as_deref(), &passage.text);
    passages.iter().map(text).collect()
}

/// Ready to be written.
struct Embedded {
    document: NewDocument,
    replaces: bool,
}

impl Prepared {
    /// `embeddings` are those of the passages, in order.
    fn with_embeddings(self, embeddings: impl Iterator<Item = Vec<f32>>) -> Embedded {
        let chunks = self.passages.into_iter().zip(embeddings).map(|(passage, embedding)| NewChunk {
            heading: passage.heading,
            page: passage.page,
            start: passage.start,
            end: passage.end,
            text: passage.text,
            embedding,
        });
        let document = NewDocument {
            source: self.source,
            title: self.title,
            content_hash: self.content_hash,
            version: self.version,
            tags: self.tags,
            metadata: std::collections::BTreeMap::new(),
            chunks: chunks.collect(),
        };
        Embedded { document, replaces: self.replaces }
    }
}

fn receive<T>(mut receiver: mpsc::Receiver<T>) -> impl stream::Stream<Item = T> {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_cause(cause)),
        None => error.to_string(),
    }
}
