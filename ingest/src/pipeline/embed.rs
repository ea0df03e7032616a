//! Passages get their vectors, known ones where there are. A text that the embedder cannot take costs its file; an
//! embedder that takes no text at all ends the run.

use std::ops::Range;

use footnote_knowledge::collection::{self, NewChunk, NewDocument, embedded_text};
use footnote_knowledge::embedding;
use futures::{StreamExt, TryStreamExt, stream};

use super::prepare::Prepared;
use super::vectors::OldVectors;
use super::{Run, UnderWay};
use crate::chunk::Passage;
use crate::error::{Error, with_cause};
use crate::report::{Event, Outcome};

/// Chunks handed to the embedder at once, and batches of one document under way at the same time: the next begins
/// before the last chunk of the one before is done.
const CHUNKS_AT_ONCE: usize = 32;
const BATCHES_AT_ONCE: usize = 2;

/// Every embedder that works takes this.
const ANY_TEXT: &str = "ready";

/// Ready to be written.
pub(super) struct Embedded {
    pub(super) document: NewDocument,
    /// Whether the collection has a document of this source.
    pub(super) replaces: bool,
}

/// What an embedder failed on.
enum CannotEmbed {
    ThisText(embedding::Error),
    AnyText(embedding::Error),
}

impl Run<'_> {
    /// Nothing if the file failed, which the report then says.
    pub(super) async fn embed(&self, prepared: UnderWay<Prepared>) -> Result<Option<UnderWay<Embedded>>, Error> {
        let UnderWay { document, share } = prepared;
        let _alone = self.vectors.one_at_a_time(&document.content_hash).await;
        let _busy = self.busy.embedding.begin();
        let old = if self.vectors.has_all(texts(&document.title, &document.passages)) {
            OldVectors::default()
        } else {
            let read = || OldVectors::read(self.knowledge, self.known, self.roots, &document);
            self.outages.wait_out(collection::Error::is_transient, read).await?
        };
        let passages = document.passages.len();
        // One batch after the other is written out: all texts of a large document would be another copy of it.
        let batches = stream::iter((0..passages).step_by(CHUNKS_AT_ONCE))
            .map(|first| self.embed_batch(&document, &old, first..passages.min(first + CHUNKS_AT_ONCE)));
        let embeddings: Result<Vec<_>, CannotEmbed> = batches.buffered(BATCHES_AT_ONCE).try_collect().await;
        match embeddings {
            Ok(embeddings) => {
                let document = document.with_embeddings(embeddings.into_iter().flatten());
                Ok(Some(UnderWay { document, share }))
            }
            Err(CannotEmbed::ThisText(error)) => {
                let advice = "other texts are taken: look at what is unusual about this file, and at the log of the \
                              embedding endpoint if there is one";
                let outcome = Outcome::Failed { reason: with_cause(&error), advice: advice.to_owned() };
                self.recorder.done(document.source, outcome);
                Ok(None)
            }
            Err(CannotEmbed::AnyText(source)) => Err(Error::Embedding { source_name: document.source, source }),
        }
    }

    async fn embed_batch(
        &self,
        document: &Prepared,
        old: &OldVectors,
        passages: Range<usize>,
    ) -> Result<Vec<Vec<f32>>, CannotEmbed> {
        let texts: Vec<String> = texts(&document.title, &document.passages[passages.clone()]).collect();
        let known = |(number, text): (usize, &String)| old.get(number, text).or_else(|| self.vectors.get(text));
        let mut vectors: Vec<Option<Vec<f32>>> = passages.zip(&texts).map(known).collect();
        let new: Vec<String> =
            vectors.iter().zip(texts).filter(|(vector, _)| vector.is_none()).map(|(_, text)| text).collect();
        self.recorder.tell(Event::Reused { chunks: vectors.len() - new.len() });
        if !new.is_empty() {
            let embedded = self.embed_texts(new).await?;
            vectors
                .iter_mut()
                .filter(|vector| vector.is_none())
                .zip(embedded)
                .for_each(|(vector, new)| *vector = Some(new));
        }
        Ok(vectors.into_iter().flatten().collect())
    }

    async fn embed_texts(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, CannotEmbed> {
        let embeddings = match self.embedder.embed_documents(texts.clone()).await {
            Ok(embeddings) => embeddings,
            Err(_) => self.embed_again(texts.clone()).await?,
        };
        texts.iter().zip(&embeddings).for_each(|(text, vector)| self.vectors.remember(text, vector));
        self.recorder.tell(Event::Embedded { chunks: embeddings.len() });
        Ok(embeddings)
    }

    /// Whatever the error was, another text tells whether the embedder works: a revoked key, an empty account or a wrong
    /// model concern every file, and one text that makes a server fail concerns one.
    async fn embed_again(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, CannotEmbed> {
        let probe = || self.embedder.embed_query(ANY_TEXT);
        self.outages.wait_out(embedding::Error::is_transient, probe).await.map_err(CannotEmbed::AnyText)?;
        // The endpoint may have been away before, or be still too busy for more than one text.
        let is_busy = |error: &embedding::Error| matches!(error, embedding::Error::RateLimited { .. });
        let attempt = || self.embedder.embed_documents(texts.clone());
        self.outages
            .wait_out(is_busy, attempt)
            .await
            .map_err(|error| if is_busy(&error) { CannotEmbed::AnyText(error) } else { CannotEmbed::ThisText(error) })
    }
}

/// What is embedded of each passage.
fn texts(title: &str, passages: &[Passage]) -> impl Iterator<Item = String> {
    passages.iter().map(move |passage| embedded_text(title, passage.heading.as_deref(), &passage.text))
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
            metadata: self.metadata,
            chunks: chunks.collect(),
        };
        Embedded { document, replaces: self.replaces }
    }
}
