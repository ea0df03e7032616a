//! What the collection already holds, so that unchanged files are left alone.

use std::collections::{HashMap, HashSet};

use footnote_knowledge::collection::{Collection, Document, Error, Filter};

use crate::discover::Root;

const DOCUMENTS_PER_REQUEST: usize = 1000;

/// The documents below the roots, by source. Read at once: asking for each file by itself would be a round trip each.
#[derive(Debug, Default)]
pub(super) struct KnownDocuments(HashMap<String, Known>);

/// As much of a document as decides whether to replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) version: String,
    pub(super) tags: Vec<String>,
}

impl KnownDocuments {
    pub(super) async fn read(collection: &Collection, roots: &[Root]) -> Result<Self, Error> {
        let names: HashSet<_> = roots.iter().map(|root| root.name.as_str()).collect();
        let mut known = HashMap::new();
        let mut cursor = None;
        loop {
            let page = collection.documents(&Filter::default(), cursor.as_deref(), DOCUMENTS_PER_REQUEST).await?;
            known.extend(
                page.items
                    .into_iter()
                    .filter(|document| document.source.split_once('/').is_some_and(|(name, _)| names.contains(name)))
                    .map(|Document { source, version, tags, .. }| (source, Known { version, tags })),
            );
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Self(known));
            }
        }
    }

    /// Whether there are any called after this root.
    pub(super) fn has_any_of(&self, root: &Root) -> bool {
        self.0.keys().any(|source| source.strip_prefix(&root.name).is_some_and(|below| below.starts_with('/')))
    }

    pub(super) fn get(&self, source: &str) -> Option<&Known> {
        self.0.get(source)
    }
}
