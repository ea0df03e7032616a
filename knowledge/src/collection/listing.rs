//! Reading documents and chunks by name rather than by meaning.

use uuid::Uuid;

use super::Collection;
use super::document::{Chunk, Document, EmbeddedChunk, Filter};
use super::error::Error;
use super::payload::{self, CONTENT_HASH, DOCUMENT_ID, FACTS, FOLDERS, INGESTED_AT, MODIFIED_AT, TAGS};
use crate::vector_store::{self, Condition, Fields, StoredPoint};

/// Documents per request, where all are read.
const DOCUMENTS_PER_PAGE: usize = 1000;

/// Chunks per request: a few hundred KB.
const CHUNKS_PER_PAGE: usize = 200;

#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give this back to get the next page; opaque.
    pub next: Option<String>,
}

impl Collection {
    /// The documents that pass `filter`, in an order that stays the same, `limit` (at least 1) at a time.
    pub async fn documents(
        &self,
        filter: &Filter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Document>, Error> {
        let from = cursor.map(read_cursor).transpose()?;
        let filter = self.store_filter(filter).and(payload::is_document());
        let stored = self.stored().await?;
        let page = self.inner.store.scroll(stored, &filter, from, limit.max(1), Fields::All).await?;
        let items = page.points.into_iter().map(payload::read_document).collect::<Result<_, _>>()?;
        Ok(Page { items, next: page.next.map(|id| id.simple().to_string()) })
    }

    /// Every document that passes `filter`, in an order that stays the same.
    pub async fn all_documents(&self, filter: &Filter) -> Result<Vec<Document>, Error> {
        let mut documents = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.documents(filter, cursor.as_deref(), DOCUMENTS_PER_PAGE).await?;
            documents.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(documents);
            }
        }
    }

    /// Those of these documents that there are, in any order.
    pub async fn documents_by_id(&self, ids: &[Uuid]) -> Result<Vec<Document>, Error> {
        let mut documents = Vec::with_capacity(ids.len());
        for ids in ids.chunks(DOCUMENTS_PER_PAGE) {
            let points = self.inner.store.retrieve(self.stored().await?, ids, Fields::All).await?;
            for point in points.into_iter().filter(is_document) {
                documents.push(payload::read_document(point)?);
            }
        }
        Ok(documents)
    }

    /// Documents whose file had exactly this content, up to `limit` (at least 1) of them.
    pub async fn documents_with_content(&self, content_hash: &str, limit: usize) -> Result<Vec<Document>, Error> {
        let filter = vector_store::Filter::all([
            payload::our_tenant(),
            payload::is_document(),
            Condition::is(CONTENT_HASH, content_hash),
        ]);
        let page = self.inner.store.scroll(self.stored().await?, &filter, None, limit.max(1), Fields::All).await?;
        page.points.into_iter().map(payload::read_document).collect()
    }

    /// How many documents there are.
    pub async fn document_count(&self) -> Result<usize, Error> {
        let filter = vector_store::Filter::all([payload::our_tenant(), payload::is_document()]);
        Ok(self.inner.store.count(self.stored().await?, &filter).await?)
    }

    pub async fn document(&self, id: Uuid) -> Result<Option<Document>, Error> {
        Ok(self.documents_by_id(&[id]).await?.pop())
    }

    /// All chunks of the document's current version, in order; empty when there is no such document.
    pub async fn chunks(&self, document_id: Uuid) -> Result<Vec<Chunk>, Error> {
        let Some(document) = self.document(document_id).await? else { return Ok(Vec::new()) };
        let stored = self.stored().await?;
        let filter = vector_store::Filter::all([
            payload::our_tenant(),
            payload::is_chunk(),
            payload::of_document(document_id),
            payload::of_version(&document.version),
        ]);
        let mut chunks = Vec::with_capacity(document.chunk_count);
        let mut from = None;
        loop {
            let page = self.inner.store.scroll(stored, &filter, from, CHUNKS_PER_PAGE, Fields::All).await?;
            for point in page.points {
                chunks.push(payload::read_chunk(point)?);
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        chunks.sort_by_key(|chunk| chunk.number);
        Ok(chunks)
    }

    /// Like [`Collection::chunks`], with their vectors; without those that another writer deletes meanwhile.
    pub async fn embedded_chunks(&self, document_id: Uuid) -> Result<Vec<EmbeddedChunk>, Error> {
        let chunks = self.chunks(document_id).await?;
        let mut embedded = Vec::with_capacity(chunks.len());
        for batch in chunks.chunks(CHUNKS_PER_PAGE) {
            let ids: Vec<Uuid> = batch.iter().map(|chunk| chunk.id).collect();
            let mut vectors = self.inner.store.dense_vectors(self.stored().await?, &ids).await?;
            let with_vector = |chunk: &Chunk| {
                let vector = vectors.remove(&chunk.id)?;
                Some(EmbeddedChunk { chunk: chunk.clone(), vector })
            };
            embedded.extend(batch.iter().filter_map(with_vector));
        }
        Ok(embedded)
    }

    /// What a caller asked for, and the tenant.
    pub(super) fn store_filter(&self, filter: &Filter) -> vector_store::Filter {
        let Filter {
            tags,
            sources,
            document_ids,
            folders,
            metadata,
            modified_after,
            modified_before,
            ingested_after,
            ingested_before,
        } = filter;
        let mut store_filter = vector_store::Filter::all([payload::our_tenant()]);
        if !tags.is_empty() {
            store_filter = store_filter.and(Condition::AnyOf { field: TAGS, values: tags.clone() });
        }
        // A source and its document's id say the same, and the id has an index.
        if !sources.is_empty() {
            let values = sources.iter().map(|source| self.document_id(source).to_string()).collect();
            store_filter = store_filter.and(Condition::AnyOf { field: DOCUMENT_ID, values });
        }
        if !document_ids.is_empty() {
            let values = document_ids.iter().map(Uuid::to_string).collect();
            store_filter = store_filter.and(Condition::AnyOf { field: DOCUMENT_ID, values });
        }
        if !folders.is_empty() {
            let values = folders.iter().map(|folder| folder.trim_matches('/').to_owned()).collect();
            store_filter = store_filter.and(Condition::AnyOf { field: FOLDERS, values });
        }
        let facts = metadata.iter().map(|(name, value)| Condition::is(FACTS, payload::fact(name, value)));
        let not_before = |(field, time)| Some(Condition::NotBefore { field, time: time? });
        let not_after = |(field, time)| Some(Condition::NotAfter { field, time: time? });
        let earliest = [(INGESTED_AT, *ingested_after), (MODIFIED_AT, *modified_after)];
        let latest = [(INGESTED_AT, *ingested_before), (MODIFIED_AT, *modified_before)];
        let times = earliest.into_iter().filter_map(not_before).chain(latest.into_iter().filter_map(not_after));
        facts.chain(times).fold(store_filter, vector_store::Filter::and)
    }
}

/// A chunk's id is not a document's.
fn is_document(point: &StoredPoint) -> bool {
    point.payload.contains_key(payload::CURRENT)
}

fn read_cursor(cursor: &str) -> Result<Uuid, Error> {
    Uuid::try_parse(cursor).map_err(|_| Error::InvalidCursor { cursor: cursor.to_owned() })
}
