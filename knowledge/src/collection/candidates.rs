//! Which version of a document the candidates of a search may be of: what their document points say.

use std::collections::HashMap;

use uuid::Uuid;

use super::document::Chunk;
use super::error::Error;
use super::payload::{self, CURRENT, DOCUMENT_ID, Whose};
use super::search::{Dropped, RankedChunk};
use crate::vector_store::{Condition, Filter, StoredPoint, text_field};

#[derive(Debug, Default)]
pub(super) struct Versions {
    /// The current version of each candidate's document, as read last.
    current: HashMap<Uuid, String>,
    /// Documents of which other versions were met, and their current version then.
    outdated: HashMap<Uuid, Option<String>>,
}

impl Versions {
    /// Takes what was read after a ranking: learns the current versions from the document points, and returns the
    /// chunks by id.
    pub(super) fn take_in(
        &mut self,
        points: Vec<StoredPoint>,
        ranked: &[RankedChunk],
    ) -> Result<HashMap<Uuid, Chunk>, Error> {
        let mut chunks = HashMap::new();
        self.current.clear();
        for point in points {
            if let Some(current) = text_field(&point.payload, CURRENT) {
                self.current.insert(point.id, current.to_owned());
            } else {
                chunks.insert(point.id, payload::read_chunk(point)?);
            }
        }
        for RankedChunk { whose, .. } in ranked {
            if self.reason_to_drop(whose).is_some() {
                let current = self.current.get(&whose.document_id).cloned();
                self.outdated.insert(whose.document_id, current);
            }
        }
        Ok(chunks)
    }

    pub(super) fn reason_to_drop(&self, whose: &Whose) -> Option<Dropped> {
        match self.current.get(&whose.document_id) {
            None => Some(Dropped::NoDocument),
            Some(current) if *current != whose.version => Some(Dropped::OtherVersion),
            Some(_) => None,
        }
    }

    /// Leaves out the versions found outdated, so that they do not take places in the next ranking.
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
