//! Documents whose files are no longer there.

use std::collections::HashSet;

use super::GoneDocuments;
use super::known::KnownDocuments;
use crate::discover::{Found, Root};

/// More than one in so many gone at once is rather a folder that is not mounted.
const ONE_IN: usize = 5;

/// What the walk has come upon.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    sources: HashSet<String>,
    /// What lies below is there for all we know.
    unreadable: Vec<String>,
}

/// What is in the collection and was not found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// In order.
    pub(crate) sources: Vec<String>,
    /// Documents below the given paths, these among them.
    pub(crate) of: usize,
}

impl Seen {
    pub(crate) fn note(&mut self, found: &Found) {
        if let Found::Unreadable { source, .. } = found {
            self.unreadable.push(format!("{source}/"));
        }
        self.sources.insert(found.source().to_owned());
    }

    pub(crate) fn gone(&self, roots: &[Root], known: &KnownDocuments) -> Gone {
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
    /// Whether they are too many to be removed without force.
    pub(crate) fn refused(&self, gone: GoneDocuments) -> bool {
        match gone {
            GoneDocuments::Stay | GoneDocuments::RemoveHoweverMany => false,
            GoneDocuments::Remove => self.sources.len() * ONE_IN > self.of,
        }
    }
}
