//! What the collection already holds, so that unchanged files are left alone and known texts are not embedded again.

use std::collections::HashMap;

use footnote_knowledge::collection::{Collection, Document, Error, Filter};
use uuid::Uuid;

use super::prepare::file_tags;
use crate::discover::Root;

/// The documents below the roots, by source. Read at once: asking for each file by itself would be a round trip each.
#[derive(Debug, Default)]
pub(crate) struct KnownDocuments {
    by_source: HashMap<String, Known>,
    /// Sources of documents with this content.
    by_content: HashMap<String, Vec<String>>,
}

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
    pub(crate) async fn read(collection: &Collection, roots: &[Root]) -> Result<Self, Error> {
        let documents = collection.all_documents(&Filter::default()).await?;
        Ok(Self::below(roots, documents))
    }

    pub(crate) fn below(roots: &[Root], documents: Vec<Document>) -> Self {
        let mut known = Self::default();
        documents.into_iter().for_each(|document| known.add_if_below(roots, document));
        known
    }

    fn add_if_below(&mut self, roots: &[Root], document: Document) {
        let name = document.source.split_once('/').map(|(name, _)| name);
        if !roots.iter().any(|root| Some(root.name.as_str()) == name) {
            return;
        }
        let Document { id, source, content_hash, version, chunk_count, tags, metadata, .. } = document;
        let file_tags = file_tags(&metadata);
        self.by_content.entry(content_hash.clone()).or_default().push(source.clone());
        self.by_source.insert(source, Known { id, content_hash, version, tags, file_tags, chunk_count });
    }

    /// Whether there are any called after this root.
    pub(crate) fn has_any_of(&self, root: &Root) -> bool {
        self.sources().any(|source| source.strip_prefix(&root.name).is_some_and(|below| below.starts_with('/')))
    }

    pub(crate) fn get(&self, source: &str) -> Option<&Known> {
        self.by_source.get(source)
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.by_source.keys().map(String::as_str)
    }

    /// The documents with exactly this content, in the order of their sources.
    pub(crate) fn with_content(&self, content_hash: &str) -> Vec<(&str, &Known)> {
        let sources = self.by_content.get(content_hash).map(Vec::as_slice).unwrap_or_default();
        let mut documents: Vec<_> = sources.iter().filter_map(|source| self.by_source.get_key_value(source)).collect();
        documents.sort_by_key(|(source, _)| *source);
        documents.into_iter().map(|(source, known)| (source.as_str(), known)).collect()
    }
}
