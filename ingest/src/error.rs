//! What ends a whole run. What costs one file only is a [`crate::Failure`].

use footnote_knowledge::{collection, embedding};

use crate::discover::RootError;
use crate::remote::ServerError;
use crate::report::Report;

/// A run that ended before its end. What was written until then stays, and the next run goes on from there.
#[derive(Debug)]
pub struct Stopped {
    pub error: Error,
    pub report: Report,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The paths given make no sense; nothing was read or written.
    #[error(transparent)]
    Paths(#[from] RootError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Collection(#[from] collection::Error),
    /// All files were ingested, and nothing was removed.
    #[error(
        "{gone} of {of} documents are no longer in the folder, which is more than one in five: check that it is the right \
         folder and mounted, and remove them with --prune --force"
    )]
    TooManyGone { gone: usize, of: usize },
    /// Not this text: the embedder takes none.
    #[error("{source_name} and what comes after it cannot be embedded")]
    Embedding { source_name: String, source: embedding::Error },
}

impl Error {
    /// Whether the next run may succeed without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Paths(_) | Self::TooManyGone { .. } => false,
            Self::Server(error) => error.is_transient(),
            Self::Collection(error) => error.is_transient(),
            Self::Embedding { source, .. } => source.is_transient(),
        }
    }
}

/// Whether it concerns this one document, so that others can be written all the same.
pub(crate) fn is_about_one_document(error: &collection::Error) -> bool {
    match error {
        collection::Error::Incomplete { .. } | collection::Error::InvalidPoint { .. } => true,
        // A full disk, a thread that stopped, a name that stands for another collection now: the next file fares no better.
        collection::Error::Store(_)
        | collection::Error::FingerprintMismatch { .. }
        | collection::Error::Gone { .. }
        | collection::Error::InvalidName { .. }
        | collection::Error::WrongDimension { .. }
        | collection::Error::InvalidCursor { .. } => false,
    }
}

/// The error and what it comes from, on one line.
pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_cause(cause)),
        None => error.to_string(),
    }
}
