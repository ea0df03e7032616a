//! Documents whose files are no longer there.

use std::collections::HashSet;

use super::known::KnownDocuments;
use crate::discover::{Found, Root};

/// More than one in so many gone at once is rather a folder that is not mounted.
const ONE_IN: usize = 5;

/// What the walk has come upon.
#[derive(Debug, Default)]
pub(super) struct Seen {
    sources: HashSet<String>,
    /// What lies below is there for all we know.
    unreadable: Vec<String>,
}

/// What is in the collection and was not found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone {
    /// In order.
    pub(super) sources: Vec<String>,
    /// Documents below the given paths, these among them.
    pub(super) of: usize,
}

impl Seen {
    pub(super) fn note(&mut self, found: &Found) {
        if let Found::Unreadable { source, .. } = found {
            self.unreadable.push(format!("{source}/"));
        }
        self.sources.insert(found.source().to_owned());
    }

    pub(super) fn gone(&self, roots: &[Root], known: &KnownDocuments) -> Gone {
        let below: Vec<&str> = known.sources().filter(|source| roots.iter().any(|root| root.covers(source))).collect();
        let is_there = |source: &str| {
            self.sources.contains(source) || self.unreadable.iter().any(|folder| source.starts_with(folder.as_str()))
        };
        let mut sources: Vec<String> =
            below.iter().filter(|source| !is_there(source)).map(|source| (*source).to_owned()).collect();
        sources.sort_unstable();
        Gone { sources, of: below.len() }
    }
}

impl Gone {
    pub(super) fn is_suspiciously_much(&self) -> bool {
        self.sources.len() * ONE_IN > self.of
    }
}
