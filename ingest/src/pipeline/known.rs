//! What the collection already holds, so that unchanged files are left alone and known texts are not embedded again.

use std::collections::HashMap;

use footnote_knowledge::collection::{Collection, Document, Error, Filter};
use uuid::Uuid;

use super::prepare::file_tags;
use crate::discover::Root;

/// Documents by source. Read at once: asking for each file by itself would be a round trip each.
#[derive(Debug, Default)]
pub(crate) struct KnownDocuments(HashMap<String, Known>);

/// As much of a document as decides whether to replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: Uuid,
    pub(crate) content_hash: String,
    pub(crate) version: String,
    pub(crate) tags: Vec<String>,
    /// Those of them that the file has by itself.
    pub(crate) file_tags: Vec<String>,
    pub(crate) chunk_count: usize,
}

impl KnownDocuments {
    /// All that are called after the roots.
    pub(crate) async fn read(collection: &Collection, roots: &[Root]) -> Result<Self, Error> {
        let documents = collection.all_documents(&Filter::default()).await?;
        Ok(Self::below(roots, documents))
    }

    /// Those of these sources.
    pub(crate) async fn read_only(collection: &Collection, sources: &[String]) -> Result<Self, Error> {
        let ids: Vec<Uuid> = sources.iter().map(|source| collection.document_id(source)).collect();
        Ok(Self::of(collection.documents_by_id(&ids).await?))
    }

    pub(crate) fn below(roots: &[Root], mut documents: Vec<Document>) -> Self {
        documents.retain(|document| {
            let name = document.source.split_once('/').map(|(name, _)| name);
            roots.iter().any(|root| Some(root.name.as_str()) == name)
        });
        Self::of(documents)
    }

    fn of(documents: Vec<Document>) -> Self {
        let known = |document: Document| {
            let Document { id, source, content_hash, version, chunk_count, tags, metadata, .. } = document;
            let file_tags = file_tags(&metadata);
            (source, Known { id, content_hash, version, tags, file_tags, chunk_count })
        };
        Self(documents.into_iter().map(known).collect())
    }

    pub(crate) fn get(&self, source: &str) -> Option<&Known> {
        self.0.get(source)
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
