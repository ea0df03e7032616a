//! From one collection into another: as it is ([`copy`]), or embedded anew ([`reindex`]). The texts are those that are
//! stored, so that no file is needed.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{
    self, Chunk, Collection, Document, EmbeddedChunk, Filter, Rebuild, embedded_text,
};
use footnote_knowledge::embedding::{self, Embedder};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use crate::error::{Error, Stopped};
use crate::pipeline::IngestOptions;
use crate::pipeline::outage::Outages;
use crate::report::{Event, Outcome, Progress, Recorder, Report, StageSeconds};

/// Documents under way at the same time.
const AT_ONCE: usize = 4;

/// Chunks handed to the embedder at once.
const CHUNKS_AT_ONCE: usize = 32;

/// How often the old collection is looked at again for what others wrote into it meanwhile. Each look finds less.
const MOST_PASSES: usize = 5;

/// Writes every document of `from` into `to` with the vectors it has. Those that are there already stay, so that a copy
/// that was interrupted goes on.
pub async fn copy(from: &Collection, to: &Collection, progress: Progress<'_>) -> Result<Report, Box<Stopped>> {
    let started = Instant::now();
    let recorder = Recorder::new(progress);
    let transfer = Transfer::new(from, to, None, &recorder, IngestOptions::LONGEST_OUTAGE);
    let outcome = transfer.all().await.map(drop);
    recorder.conclude(outcome, started, StageSeconds::default())
}

/// Embeds every document of the old collection anew, writes it into the new one and puts that in the old one's place,
/// which the caller then drops, or a sweep. Documents that an earlier attempt has written stay, and what is written into
/// the old collection or deleted there meanwhile, by whoever, is brought over, too: also what comes in the seconds after
/// the switch, of which `switched` is told, unless this is ended before.
pub fn reindex<'a>(
    rebuild: &'a Rebuild,
    embedder: &'a Embedder,
    longest_outage: Duration,
    switched: &'a (dyn Fn() + Send + Sync),
    progress: Progress<'a>,
) -> BoxFuture<'a, Result<Report, Box<Stopped>>> {
    Box::pin(async move {
        let started = Instant::now();
        let recorder = Recorder::new(progress);
        let transfer = Transfer::new(&rebuild.old, &rebuild.new, Some(embedder), &recorder, longest_outage);
        let outcome = transfer.replace(rebuild, switched).await;
        recorder.conclude(outcome, started, StageSeconds::default())
    })
}

/// What a collection holds.
type Listing = HashMap<Uuid, Document>;

struct Transfer<'a> {
    from: &'a Collection,
    to: &'a Collection,
    /// None where the vectors are kept.
    embedder: Option<&'a Embedder>,
    recorder: &'a Recorder<'a>,
    outages: Outages<'a>,
}

impl<'a> Transfer<'a> {
    fn new(
        from: &'a Collection,
        to: &'a Collection,
        embedder: Option<&'a Embedder>,
        recorder: &'a Recorder<'a>,
        longest_outage: Duration,
    ) -> Self {
        let outages = Outages::new(recorder, longest_outage);
        Self { from, to, embedder, recorder, outages }
    }

    async fn replace(&self, rebuild: &Rebuild, switched: &(dyn Fn() + Send + Sync)) -> Result<(), Error> {
        let mut last = self.all().await?;
        for _ in 1..MOST_PASSES {
            let now = self.listing(self.from).await?;
            let in_step = self.follow(&last, &now).await?;
            last = now;
            if in_step {
                break;
            }
        }
        // An attempt that was killed may have left what is gone by now.
        self.remove(self.listing(self.to).await?.keys().filter(|id| !last.contains_key(id))).await?;
        let switch = || rebuild.switch();
        self.outages.wait_out(collection::Error::is_transient, switch).await?;
        switched();
        // Until then others may still write into the old one.
        tokio::time::sleep(rebuild.others_know_after()).await;
        let now = self.listing(self.from).await?;
        self.copy_roots(&now).await?;
        self.follow(&last, &now).await?;
        let finish = || rebuild.finish();
        Ok(self.outages.wait_out(collection::Error::is_transient, finish).await?)
    }

    /// Brings over whatever is not there yet, and returns what was to be there.
    async fn all(&self) -> Result<Listing, Error> {
        let documents = self.listing(self.from).await?;
        let there = self.listing(self.to).await?;
        self.copy_roots(&documents).await?;
        for document in documents.values() {
            self.found(document);
        }
        self.recorder.tell(Event::DiscoveryDone { files: documents.len() });
        let (done, missing): (Vec<_>, Vec<_>) = documents
            .values()
            .partition(|document| there.get(&document.id).is_some_and(|there| is_same(there, document)));
        done.into_iter().for_each(|document| self.recorder.done(document.source.clone(), Outcome::Unchanged));
        self.write(missing).await?;
        Ok(documents)
    }

    /// Does to the new collection what was done to the old one between two listings; true if that was nothing.
    async fn follow(&self, before: &Listing, now: &Listing) -> Result<bool, Error> {
        let is_new = |document: &&Document| before.get(&document.id).is_none_or(|before| !is_same(before, document));
        let changed: Vec<_> = now.values().filter(is_new).collect();
        let gone: Vec<_> = before.keys().filter(|id| !now.contains_key(id)).collect();
        let in_step = changed.is_empty() && gone.is_empty();
        changed.iter().for_each(|document| self.found(document));
        self.write(changed).await?;
        self.remove(gone.into_iter()).await?;
        Ok(in_step)
    }

    async fn listing(&self, collection: &Collection) -> Result<Listing, Error> {
        let list = || async { collection.all_documents(&Filter::default()).await };
        let documents = self.outages.wait_out(collection::Error::is_transient, list).await?;
        Ok(documents.into_iter().map(|document| (document.id, document)).collect())
    }

    fn found(&self, document: &Document) {
        self.recorder.tell(Event::Discovered { source: document.source.clone(), bytes: 0 });
    }

    async fn write(&self, documents: Vec<&Document>) -> Result<(), Error> {
        stream::iter(documents).map(Ok).try_for_each_concurrent(AT_ONCE, |document| self.document(document)).await
    }

    async fn remove(&self, ids: impl Iterator<Item = &Uuid>) -> Result<(), Error> {
        for id in ids {
            let delete = || self.to.delete_document(*id);
            self.outages.wait_out(collection::Error::is_transient, delete).await?;
        }
        Ok(())
    }

    async fn document(&self, document: &Document) -> Result<(), Error> {
        let source = document.source.clone();
        let read = || async {
            match self.embedder {
                None => self.from.embedded_chunks(document.id).await.map(|chunks| (Vec::new(), chunks)),
                Some(_) => self.from.chunks(document.id).await.map(|chunks| (chunks, Vec::new())),
            }
        };
        let (texts, mut chunks) = self.outages.wait_out(collection::Error::is_transient, read).await?;
        if let Some(embedder) = self.embedder {
            self.recorder.tell(Event::Chunked { source: source.clone(), chunks: texts.len() });
            chunks = self.embedded(embedder, texts, &source).await?;
        }
        let document = Collection::rewritten(document.clone(), chunks);
        let write = || self.to.replace_document(&document);
        let written = self.outages.wait_out(collection::Error::is_transient, write).await?;
        self.recorder.done(source, Outcome::Added { chunks: written.chunk_count });
        Ok(())
    }

    async fn embedded(
        &self,
        embedder: &Embedder,
        chunks: Vec<Chunk>,
        source: &str,
    ) -> Result<Vec<EmbeddedChunk>, Error> {
        let text = |chunk: &Chunk| embedded_text(&chunk.title, chunk.heading.as_deref(), &chunk.text);
        let failed = |error: embedding::Error| Error::Embedding { source_name: source.to_owned(), source: error };
        let mut vectors = Vec::with_capacity(chunks.len());
        for batch in chunks.chunks(CHUNKS_AT_ONCE) {
            let texts: Vec<String> = batch.iter().map(text).collect();
            let embed = || embedder.embed_documents(texts.clone());
            vectors.extend(self.outages.wait_out(embedding::Error::is_transient, embed).await.map_err(failed)?);
            self.recorder.tell(Event::Embedded { chunks: batch.len() });
        }
        Ok(chunks.into_iter().zip(vectors).map(|(chunk, vector)| EmbeddedChunk { chunk, vector }).collect())
    }

    /// Which folder each root's name was used for.
    async fn copy_roots(&self, documents: &Listing) -> Result<(), collection::Error> {
        let names: HashSet<&str> =
            documents.values().filter_map(|document| document.source.split_once('/')).map(|(name, _)| name).collect();
        for name in names {
            let copy = || async {
                match self.from.root_folder(name).await? {
                    Some(folder) => self.to.set_root_folder(name, &folder).await,
                    None => Ok(()),
                }
            };
            self.outages.wait_out(collection::Error::is_transient, copy).await?;
        }
        Ok(())
    }
}

/// Whether they say the same, whenever they were written.
fn is_same(one: &Document, other: &Document) -> bool {
    let said = |document: &Document| {
        let Document { title, content_hash, version, tags, metadata, .. } = document.clone();
        (title, content_hash, version, tags, metadata)
    };
    said(one) == said(other)
}
