//! What can go wrong when text becomes a vector, by kind.

use std::time::Duration;

/// The cause below an [`enum@Error`].
pub type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint cannot be reached, broke off, or has a fault of its own.
    #[error("the embedding endpoint is unavailable")]
    Unavailable {
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
        source: Source,
    },

    #[error("the embedding endpoint did not answer within {} s", after.as_secs_f32())]
    Timeout { after: Duration },

    #[error("the embedding endpoint asks for fewer requests")]
    RateLimited { retry_after: Option<Duration>, source: Source },

    /// The request or its key is refused; asking again will not help.
    #[error("the embedding endpoint refuses the request")]
    Rejected { source: Source },

    /// The answer is not one vector per text.
    #[error("the embedding endpoint sent an invalid response: {0}")]
    InvalidResponse(String),

    /// The built-in model could not be loaded or run.
    #[error("the built-in embedding model failed")]
    Model(#[source] Source),
}

impl Error {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Timeout { .. } | Self::RateLimited { .. } => true,
            Self::Rejected { .. } | Self::InvalidResponse(_) | Self::Model(_) => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } | Self::RateLimited { retry_after, .. } => *retry_after,
            Self::Timeout { .. } | Self::Rejected { .. } | Self::InvalidResponse(_) | Self::Model(_) => None,
        }
    }
}
