//! Which version of a document the chunks that a search found may be of: what their document points say.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::document::Chunk;
use super::error::Error;
use super::payload::{self, CURRENT, DOCUMENT_ID};
use super::search::Dropped;
use crate::vector_store::{Condition, Filter, StoredPoint, text_field};

#[derive(Debug, Default)]
pub(super) struct Versions {
    /// The current version of each chunk's document, as read last.
    current: HashMap<Uuid, String>,
    /// Documents of which other versions were met, and their current version then.
    outdated: HashMap<Uuid, Option<String>>,
    /// Some document became current only after the ranking began, which may have seen a part of its chunks.
    changed_meanwhile: bool,
}

impl Versions {
    /// Learns the current versions from the document points read after a ranking that `began` then.
    pub(super) fn take_in(
        &mut self,
        chunks: &HashMap<Uuid, Chunk>,
        documents: Vec<StoredPoint>,
        began: Timestamp,
    ) -> Result<(), Error> {
        self.current.clear();
        self.changed_meanwhile = false;
        for StoredPoint { id, payload } in documents {
            self.changed_meanwhile |= payload::read_written_at(id, &payload)? >= began;
            if let Some(current) = text_field(&payload, CURRENT) {
                self.current.insert(id, current.to_owned());
            }
        }
        for chunk in chunks.values() {
            if self.reason_to_drop(chunk).is_some() {
                self.outdated.insert(chunk.document_id, self.current.get(&chunk.document_id).cloned());
            }
        }
        Ok(())
    }

    /// Whether a search may answer with these chunks.
    pub(super) fn may_answer_with<'a>(&self, mut chunks: impl Iterator<Item = &'a Chunk>) -> bool {
        !self.changed_meanwhile && chunks.all(|chunk| self.reason_to_drop(chunk).is_none())
    }

    pub(super) fn reason_to_drop(&self, chunk: &Chunk) -> Option<Dropped> {
        match self.current.get(&chunk.document_id) {
            None => Some(Dropped::NoDocument),
            Some(current) if *current != chunk.version => Some(Dropped::OtherVersion),
            Some(_) => None,
        }
    }

    /// Leaves out the versions found outdated, so that they take no places in the next ranking.
    pub(super) fn exclude_outdated(&self, filter: Filter) -> Filter {
        self.outdated.iter().fold(filter, |filter, (document, current)| {
            let of_document = Condition::is(DOCUMENT_ID, document.to_string());
            filter.and_not(match current {
                None => of_document,
                Some(current) => Condition::Nested(Filter::all([of_document]).and_not(payload::of_version(current))),
            })
        })
    }
}
