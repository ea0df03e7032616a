//! What can go wrong with a collection, beside what goes wrong with its store.

use crate::vector_store;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] vector_store::Error),
    #[error(
        "the collection {name} was built with another embedder or other settings (it is {found}, ours would be {ours}): \
         start with the embedder it was built with, or build it anew with this one, from the texts that are stored: \
         ingest --reindex"
    )]
    FingerprintMismatch { name: String, ours: String, found: String },
    #[error("the collection {name} was removed while it was open: ingest again")]
    Gone { name: String },
    #[error(
        "`{name}` cannot name a collection: use 1 to 64 letters, digits, `_`, `-` and `.`, beginning with a letter or digit"
    )]
    InvalidName { name: String },
    #[error("the embedding of chunk {number} has {found} dimensions, the collection has {expected}")]
    WrongDimension { number: usize, expected: usize, found: usize },
    /// The store acknowledged all chunks and then had fewer; the document's old version stays.
    #[error("of the {expected} chunks of {source_name} the vector store has {found}: ingest it again")]
    Incomplete { source_name: String, expected: usize, found: usize },
    #[error("the cursor `{cursor}` is not one that a listing returned")]
    InvalidCursor { cursor: String },
    /// A point of ours that does not read as one; from another program, or damaged.
    #[error("point {id} of the collection cannot be read: {message}")]
    InvalidPoint { id: uuid::Uuid, message: String },
}

impl Error {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::FingerprintMismatch { .. }
            | Self::Gone { .. }
            | Self::InvalidName { .. }
            | Self::WrongDimension { .. }
            | Self::Incomplete { .. }
            | Self::InvalidCursor { .. }
            | Self::InvalidPoint { .. } => false,
        }
    }
}
