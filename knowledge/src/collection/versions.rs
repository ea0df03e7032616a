//! Which version of a document a search answers with: the one that was current when the search first looked.
//!
//! It stays that one for the whole search, whatever is written meanwhile: its chunks were there whole by then, and stay
//! for a minute after they are replaced (see [`super::sweep::OLD_VERSIONS_STAY`]).

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::document::Chunk;
use super::error::Error;
use super::payload::{self, CURRENT, DOCUMENT_ID};
use super::search::Dropped;
use crate::vector_store::{Condition, Filter, StoredPoint, text_field};

#[derive(Debug, Default)]
pub(super) struct Versions {
    /// By document, the version to answer with; none if there was no such document, or is none any more.
    seen: HashMap<Uuid, Option<String>>,
    /// Documents of which chunks of other versions were met.
    outdated: HashSet<Uuid>,
    /// When the ranking of this pass began.
    began: Timestamp,
    /// A document met in this pass became current only after its ranking began, which may have seen a part of its
    /// chunks.
    changed_meanwhile: bool,
}

impl Versions {
    /// What is taken in from now on was read after a ranking that `began` then.
    pub(super) fn begin_pass(&mut self, began: Timestamp) {
        (self.began, self.changed_meanwhile) = (began, false);
    }

    /// Takes in what the document points say of these chunks.
    pub(super) fn take_in(&mut self, chunks: &HashMap<Uuid, Chunk>, documents: Vec<StoredPoint>) -> Result<(), Error> {
        let documents: HashMap<_, _> = documents.into_iter().map(|point| (point.id, point.payload)).collect();
        for chunk in chunks.values() {
            let id = chunk.document_id;
            match (self.seen.get_mut(&id), documents.get(&id)) {
                (Some(_), Some(_)) => {}
                // It was deleted since.
                (Some(seen), None) => *seen = None,
                (None, None) => drop(self.seen.insert(id, None)),
                (None, Some(document)) => {
                    self.changed_meanwhile |= payload::read_written_at(id, document)? >= self.began;
                    self.seen.insert(id, text_field(document, CURRENT).map(str::to_owned));
                }
            }
            if self.reason_to_drop(chunk).is_some() {
                self.outdated.insert(id);
            }
        }
        Ok(())
    }

    /// Whether a search may answer with these chunks.
    pub(super) fn may_answer_with<'a>(&self, mut chunks: impl Iterator<Item = &'a Chunk>) -> bool {
        !self.changed_meanwhile && chunks.all(|chunk| self.reason_to_drop(chunk).is_none())
    }

    pub(super) fn reason_to_drop(&self, chunk: &Chunk) -> Option<Dropped> {
        match self.seen.get(&chunk.document_id).and_then(Option::as_ref) {
            None => Some(Dropped::NoDocument),
            Some(seen) if *seen != chunk.version => Some(Dropped::OtherVersion),
            Some(_) => None,
        }
    }

    /// Leaves out the versions found outdated, so that they take no places in the next ranking.
    pub(super) fn exclude_outdated(&self, filter: Filter) -> Filter {
        self.outdated.iter().fold(filter, |filter, document| {
            let of_document = Condition::is(DOCUMENT_ID, document.to_string());
            filter.and_not(match self.seen.get(document).and_then(Option::as_ref) {
                None => of_document,
                Some(seen) => Condition::Nested(Filter::all([of_document]).and_not(payload::of_version(seen))),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BEGAN: Timestamp = Timestamp::UNIX_EPOCH;

    fn chunk(version: &str) -> Chunk {
        Chunk {
            id: Uuid::new_v5(&Uuid::nil(), version.as_bytes()),
            document_id: Uuid::nil(),
            source: "a.md".to_owned(),
            title: String::new(),
            heading: None,
            page: None,
            number: 0,
            start: 0,
            end: 1,
            text: "x".to_owned(),
            version: version.to_owned(),
            tags: Vec::new(),
            ingested_at: BEGAN,
        }
    }

    /// A pass that ranks a chunk of `ranked`, while the document is in version `current`, since so many seconds after
    /// the pass began.
    fn pass(versions: &mut Versions, ranked: &str, current: Option<(&str, i64)>) -> bool {
        let found = chunk(ranked);
        let document = current.map(|(version, seconds)| {
            let written_at = Timestamp::from_second(seconds).unwrap();
            let payload = json!({ CURRENT: version, payload::INGESTED_AT: written_at });
            StoredPoint { id: Uuid::nil(), payload: payload.as_object().unwrap().clone() }
        });
        versions.begin_pass(BEGAN);
        versions.take_in(&[(found.id, found.clone())].into(), document.into_iter().collect()).unwrap();
        versions.may_answer_with([&found].into_iter())
    }

    #[test]
    fn a_document_that_is_replaced_in_every_pass_is_seen_as_it_was_first() {
        let mut versions = Versions::default();
        assert!(!pass(&mut versions, "one", Some(("two", 1))), "ranked before the second was current");
        assert!(pass(&mut versions, "two", Some(("three", 2))), "the second is whole, and stays");
        assert_eq!(versions.reason_to_drop(&chunk("three")), Some(Dropped::OtherVersion));
    }

    #[test]
    fn what_became_current_while_it_was_ranked_is_ranked_again() {
        let mut versions = Versions::default();
        assert!(!pass(&mut versions, "one", Some(("one", 1))));
        assert!(pass(&mut versions, "one", Some(("one", 1))));
    }

    #[test]
    fn what_has_been_current_is_answered_with_at_once() {
        assert!(pass(&mut Versions::default(), "one", Some(("one", -1))));
    }

    #[test]
    fn a_deleted_document_is_dropped_whenever_that_happens() {
        let mut versions = Versions::default();
        assert!(!pass(&mut versions, "one", Some(("one", 1))));
        assert!(!pass(&mut versions, "one", None));
        assert_eq!(versions.reason_to_drop(&chunk("one")), Some(Dropped::NoDocument));
    }
}
