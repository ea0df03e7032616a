//! Writing and deleting a document whole.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::document::{Chunk, Document, Metadata, NewChunk, NewDocument};
use super::error::Error;
use super::fingerprint::embedded_text;
use super::payload::{self, INGESTED_AT};
use super::sweep::OldVersion;
use super::{Collection, names};
use crate::vector_store::{Condition, Filter, Point};

/// Points handed to the store at once: bounds what is held twice in memory; the store batches further as it must.
const POINTS_AT_ONCE: usize = 512;

impl Collection {
    /// Writes a document in place of the one of the same source, if there is one. Searches see the old version until the
    /// new one is there whole, then the new one; never both, never neither.
    ///
    /// First the chunks, durably; then they are counted; then one write of the document's point makes them current. The
    /// old version goes a minute later, or with the next [`Collection::sweep`] if this process does not live that long.
    /// Interrupted anywhere, the old version stays, and the next `replace_document` or sweep clears up. After an error
    /// that passes, the same call may be made again: `document` may be lent for that.
    ///
    /// Every call waits for the disk twice (embedded) or for several round trips (server); calls made at the same time
    /// share that, so run several.
    pub async fn replace_document(&self, document: impl Borrow<NewDocument>) -> Result<Document, Error> {
        let document: &NewDocument = document.borrow();
        self.check_dimensions(&document.chunks)?;
        let stored = self.stored().await?.to_owned();
        let id = self.document_id(&document.source);
        let old = self.document(id).await?;
        let expected = document.chunks.len();

        let header = Arc::new(Header::of(document));
        self.write_chunks(&stored, id, &header, &document.chunks).await?;
        if let Some(old) = &old
            && old.version == header.version
            && old.chunk_count > expected
        {
            self.delete_chunks_from(&stored, &header, expected..old.chunk_count).await?;
        }
        let found = self.count_chunks(&stored, id, &header.version).await?;
        if found != expected {
            return Err(Error::Incomplete { source_name: header.source.clone(), expected, found });
        }

        let document = header.to_document(id, expected);
        self.inner.store.upsert(&stored, vec![payload::document_point(&document)]).await?;
        if let Some(old) = old
            && old.version != document.version
        {
            self.inner.superseded.push(OldVersion {
                document_id: id,
                version: old.version,
                written_before: document.ingested_at,
            });
        }
        Ok(document)
    }

    /// Removes a document and all its chunks; false when there was none. From the first step on no search sees it.
    pub async fn delete_document(&self, id: Uuid) -> Result<bool, Error> {
        let stored = self.stored().await?;
        let Some(document) = self.document(id).await? else { return Ok(false) };
        self.inner.store.delete_points(stored, &[id]).await?;
        let chunks = Filter::all([
            payload::our_tenant(),
            payload::is_chunk(),
            payload::of_document(id),
            // Younger ones are those of a new document, which somebody is writing in this moment.
            Condition::NotAfter { field: INGESTED_AT, time: document.ingested_at },
        ]);
        self.inner.store.delete_matching(stored, &chunks).await?;
        Ok(true)
    }

    fn check_dimensions(&self, chunks: &[NewChunk]) -> Result<(), Error> {
        let expected = self.inner.dimension;
        match chunks.iter().enumerate().find(|(_, chunk)| chunk.embedding.len() != expected) {
            None => Ok(()),
            Some((number, chunk)) => Err(Error::WrongDimension { number, expected, found: chunk.embedding.len() }),
        }
    }

    async fn write_chunks(
        &self,
        stored: &str,
        document_id: Uuid,
        header: &Arc<Header>,
        chunks: &[NewChunk],
    ) -> Result<(), Error> {
        for (batch, first_number) in chunks.chunks(POINTS_AT_ONCE).zip((0..).step_by(POINTS_AT_ONCE)) {
            let (collection, header, batch) = (self.clone(), Arc::clone(header), batch.to_vec());
            // Counting words is work for a processor, not for an async thread.
            let points = tokio::task::spawn_blocking(move || {
                let point = |(number, chunk)| collection.chunk_point(document_id, &header, number, chunk);
                (first_number..).zip(batch).map(point).collect()
            });
            let points = points.await.expect("making points does not panic");
            self.inner.store.upsert(stored, points).await?;
        }
        Ok(())
    }

    fn chunk_point(&self, document_id: Uuid, header: &Header, number: usize, chunk: NewChunk) -> Point {
        let NewChunk { heading, page, start, end, text, embedding } = chunk;
        let sparse = self.inner.bm25.embed_document(&embedded_text(&header.title, heading.as_deref(), &text));
        let chunk = Chunk {
            id: names::chunk_id(&self.inner.name, &header.source, &header.version, number),
            document_id,
            source: header.source.clone(),
            title: header.title.clone(),
            heading,
            page,
            number,
            start,
            end,
            text,
            version: header.version.clone(),
            tags: header.tags.clone(),
            ingested_at: header.begun_at,
        };
        payload::chunk_point(&chunk, &header.metadata, embedding, sparse)
    }

    /// What an earlier, longer list of chunks under the same version left over.
    async fn delete_chunks_from(&self, stored: &str, header: &Header, numbers: Range<usize>) -> Result<(), Error> {
        let id = |number| names::chunk_id(&self.inner.name, &header.source, &header.version, number);
        let ids: Vec<_> = numbers.map(id).collect();
        Ok(self.inner.store.delete_points(stored, &ids).await?)
    }

    async fn count_chunks(&self, stored: &str, document_id: Uuid, version: &str) -> Result<usize, Error> {
        let chunks = Filter::all([
            payload::our_tenant(),
            payload::is_chunk(),
            payload::of_document(document_id),
            payload::of_version(version),
        ]);
        Ok(self.inner.store.count(stored, &chunks).await?)
    }
}

/// A new document without its chunks.
#[derive(Debug, Clone)]
struct Header {
    source: String,
    title: String,
    content_hash: String,
    version: String,
    tags: Vec<String>,
    metadata: Metadata,
    begun_at: Timestamp,
}

impl Header {
    fn of(document: &NewDocument) -> Self {
        Self {
            source: document.source.clone(),
            title: document.title.clone(),
            content_hash: document.content_hash.clone(),
            version: document.version.clone(),
            tags: document.tags.clone(),
            metadata: document.metadata.clone(),
            begun_at: payload::now(),
        }
    }

    /// Its time is that of the flip: later than that of any of its chunks, and of anything it supersedes.
    fn to_document(&self, id: Uuid, chunk_count: usize) -> Document {
        let Self { source, title, content_hash, version, tags, metadata, begun_at: _ } = self.clone();
        Document { id, source, title, content_hash, version, chunk_count, tags, ingested_at: payload::now(), metadata }
    }
}
