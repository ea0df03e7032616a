//! From one collection into another: as it is ([`copy`]), or embedded anew ([`reindex`]). The texts are those that are
//! stored, so that no file is needed.

use std::collections::HashSet;
use std::time::Instant;

use footnote_knowledge::collection::{
    self, Chunk, Collection, Document, EmbeddedChunk, Filter, Rebuild, embedded_text,
};
use footnote_knowledge::embedding::{self, Embedder};
use futures::{StreamExt, TryStreamExt, stream};

use crate::error::Error;
use crate::report::{Event, Outcome, Recorder, Report, StageSeconds};

/// Documents under way at the same time.
const AT_ONCE: usize = 4;

/// Chunks handed to the embedder at once.
const CHUNKS_AT_ONCE: usize = 32;

/// Writes every document of `from` into `to` with the vectors it has. Those that are there already stay, so that a copy
/// that was interrupted goes on.
pub async fn copy(from: &Collection, to: &Collection, progress: impl Fn(Event) + Send + Sync) -> Result<Report, Error> {
    let transfer = Transfer { from, to, embedder: None, recorder: Recorder::new(progress) };
    transfer.run().await
}

/// Embeds every document of the old collection anew and writes it into the new one; switching is the caller's business.
/// Documents that an earlier attempt has written stay.
pub async fn reindex(
    rebuild: &Rebuild,
    embedder: &Embedder,
    progress: impl Fn(Event) + Send + Sync,
) -> Result<Report, Error> {
    let (from, to) = (&rebuild.old, &rebuild.new);
    Transfer { from, to, embedder: Some(embedder), recorder: Recorder::new(progress) }.run().await
}

struct Transfer<'a, Progress> {
    from: &'a Collection,
    to: &'a Collection,
    /// None where the vectors are kept.
    embedder: Option<&'a Embedder>,
    recorder: Recorder<Progress>,
}

impl<Progress: Fn(Event)> Transfer<'_, Progress> {
    async fn run(&self) -> Result<Report, Error> {
        let started = Instant::now();
        let documents = self.from.all_documents(&Filter::default()).await?;
        let there: HashSet<_> = self
            .to
            .all_documents(&Filter::default())
            .await?
            .into_iter()
            .map(|document| (document.id, document.version))
            .collect();
        self.copy_roots(&documents).await?;
        for document in &documents {
            let bytes = 0;
            self.recorder.tell(Event::Discovered { source: document.source.clone(), bytes });
        }
        self.recorder.tell(Event::DiscoveryDone { files: documents.len() });
        let (done, missing): (Vec<_>, Vec<_>) =
            documents.into_iter().partition(|document| there.contains(&(document.id, document.version.clone())));
        done.into_iter().for_each(|document| self.recorder.done(document.source, Outcome::Unchanged));
        let written =
            stream::iter(missing).map(Ok).try_for_each_concurrent(AT_ONCE, |document| self.document(document));
        written.await?;
        Ok(self.recorder.finish(started.elapsed().as_secs_f64(), StageSeconds::default()))
    }

    async fn document(&self, document: Document) -> Result<(), Error> {
        let source = document.source.clone();
        let chunks = match self.embedder {
            None => self.from.embedded_chunks(document.id).await?,
            Some(embedder) => {
                let chunks = self.from.chunks(document.id).await?;
                self.recorder.tell(Event::Chunked { source: source.clone(), chunks: chunks.len() });
                self.embedded(embedder, chunks, &source).await?
            }
        };
        let written = self.to.replace_document(Collection::rewritten(document, chunks)).await?;
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
            vectors.extend(embedder.embed_documents(batch.iter().map(text).collect()).await.map_err(failed)?);
            self.recorder.tell(Event::Embedded { chunks: batch.len() });
        }
        Ok(chunks.into_iter().zip(vectors).map(|(chunk, vector)| EmbeddedChunk { chunk, vector }).collect())
    }

    /// Which folder each root's name was used for.
    async fn copy_roots(&self, documents: &[Document]) -> Result<(), collection::Error> {
        let names: HashSet<&str> =
            documents.iter().filter_map(|document| document.source.split_once('/')).map(|(name, _)| name).collect();
        for name in names {
            if let Some(folder) = self.from.root_folder(name).await? {
                self.to.set_root_folder(name, &folder).await?;
            }
        }
        Ok(())
    }
}
