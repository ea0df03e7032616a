//! What the collection already holds, so that unchanged files are left alone.

use std::collections::HashMap;

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
        let prefixes: Vec<_> = roots.iter().map(|root| format!("{}/", root.name)).collect();
        let mut known = HashMap::new();
        let mut cursor = None;
        loop {
            let page = collection.documents(&Filter::default(), cursor.as_deref(), DOCUMENTS_PER_REQUEST).await?;
            known.extend(
                page.items
                    .into_iter()
                    .filter(|document| prefixes.iter().any(|prefix| document.source.starts_with(prefix)))
                    .map(|Document { source, version, tags, .. }| (source, Known { version, tags })),
            );
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Self(known));
            }
        }
    }

    pub(super) fn get(&self, source: &str) -> Option<&Known> {
        self.0.get(source)
    }
}
