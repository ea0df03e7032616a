//! What can go wrong with a vector store, by what the caller can do about it.

use std::error::Error as StdError;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached, or is in trouble; the same call may work later.
    #[error("the vector store is not available: {message}")]
    Unavailable { message: String },
    #[error("the vector store did not answer within {seconds} s")]
    Timeout { seconds: u64 },
    /// Another process has the folder of the embedded engine.
    #[error(
        "{} is in use by another process: stop the other server or ingest, or choose another \
         --data-dir",
        .folder.display()
    )]
    InUse { folder: PathBuf },
    #[error("the vector has {found} dimensions, the collection has {expected}")]
    WrongDimension { expected: usize, found: usize },
    #[error("there is no collection {collection}")]
    NotFound { collection: String },
    /// What is on disk cannot be read back.
    #[error("{} is damaged: {message}; restore it from a backup, or delete it and ingest again", .path.display())]
    Corrupt { path: PathBuf, message: String },
    /// The server wants a key, or another one.
    #[error(
        "the vector store does not let us in: {message}; its key is given with --qdrant-api-key or FOOTNOTE_QDRANT_API_KEY"
    )]
    Unauthorized { message: String },
    #[error("{} cannot be read or written", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// Anything else the engine or the server reports; `message` says what was attempted.
    #[error("{message}")]
    Engine { message: String, source: Box<dyn StdError + Send + Sync> },
}

impl Error {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Timeout { .. } => true,
            Self::InUse { .. }
            | Self::WrongDimension { .. }
            | Self::NotFound { .. }
            | Self::Corrupt { .. }
            | Self::Unauthorized { .. }
            | Self::Io { .. }
            | Self::Engine { .. } => false,
        }
    }

    pub(super) fn engine(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Engine { message: message.into(), source: source.into() }
    }
}
