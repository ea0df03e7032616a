//! What ends a whole run. What costs one file only is a [`crate::Failure`].

use footnote_knowledge::{collection, embedding, vector_store};

use crate::discover::RootError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The paths given make no sense; nothing was read or written.
    #[error(transparent)]
    Paths(#[from] RootError),
    #[error("writing to the collection failed")]
    Collection(#[from] collection::Error),
    #[error("embedding {source_name} failed")]
    Embedding { source_name: String, source: embedding::Error },
}

/// Whether the vector store could not be reached or would not let us in, so that a later run may succeed.
pub fn is_store_unreachable(error: &collection::Error) -> bool {
    use vector_store::Error as Store;
    match error {
        collection::Error::Store(error) => match error {
            Store::Unavailable { .. } | Store::Timeout { .. } | Store::InUse { .. } | Store::Unauthorized { .. } => {
                true
            }
            Store::WrongDimension { .. }
            | Store::NotFound { .. }
            | Store::Corrupt { .. }
            | Store::Io { .. }
            | Store::Engine { .. } => false,
        },
        collection::Error::FingerprintMismatch { .. }
        | collection::Error::Gone { .. }
        | collection::Error::InvalidName { .. }
        | collection::Error::WrongDimension { .. }
        | collection::Error::Incomplete { .. }
        | collection::Error::InvalidCursor { .. }
        | collection::Error::InvalidPoint { .. } => false,
    }
}
