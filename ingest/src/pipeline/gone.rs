//! Documents whose files are no longer there.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::GoneDocuments;
use super::known::KnownDocuments;
use crate::discover::{Found, Root};
use crate::error::Error;
use crate::report::{Event, Recorder};

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
struct Gone {
    /// In order.
    sources: Vec<String>,
    /// Documents below the given paths, these among them.
    of: usize,
}

impl Seen {
    pub(crate) fn note(&mut self, found: &Found) {
        match found {
            Found::File(_) | Found::Skipped { .. } => {}
            Found::Unreadable { source, .. } => self.unreadable.push(format!("{source}/")),
            Found::Nothing { .. } => return,
        }
        self.sources.insert(found.source().to_owned());
    }

    fn gone(&self, roots: &[Root], known: &KnownDocuments) -> Gone {
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

/// The sources of what is to be removed, or why it is not; tells of what stays.
pub(crate) fn to_remove(
    seen: &Mutex<Seen>,
    roots: &[Root],
    known: &KnownDocuments,
    gone: GoneDocuments,
    recorder: &Recorder<'_>,
) -> Result<Vec<String>, Error> {
    let found = seen.lock().unwrap_or_else(PoisonError::into_inner).gone(roots, known);
    let refused = found.refused(gone);
    let Gone { sources, of } = found;
    if gone == GoneDocuments::Stay || refused {
        recorder.tell(Event::Gone { documents: sources.len() });
        return if refused { Err(Error::TooManyGone { gone: sources.len(), of }) } else { Ok(Vec::new()) };
    }
    Ok(sources)
}

impl Gone {
    /// Whether they are too many to be removed without force.
    fn refused(&self, gone: GoneDocuments) -> bool {
        match gone {
            GoneDocuments::Stay | GoneDocuments::RemoveHoweverMany => false,
            GoneDocuments::Remove => self.sources.len() * ONE_IN > self.of,
        }
    }
}
