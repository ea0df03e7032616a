//! How keeping sessions can fail.

use std::path::PathBuf;

/// What was behind a failure.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not connected, or known to be down since an earlier call; the cause was logged then.
    #[error("the session store cannot be reached")]
    Unavailable(#[source] Option<Cause>),
    /// Whether the store did it is not known.
    #[error("the session store did not answer in time")]
    Timeout,
    /// Redis at `maxmemory`, or the disk is full.
    #[error("the session store is full")]
    Full(#[source] Cause),
    /// A Redis replica, for instance during a failover.
    #[error("the session store takes no writes")]
    ReadOnly(#[source] Cause),
    /// Wrong password, or a command that this user may not run.
    #[error("the session store refused the command")]
    Denied(#[source] Cause),
    /// Any other failure of the store.
    #[error("the session store failed")]
    Failed(#[source] Cause),
    /// Part of the session is missing or unreadable, for instance after an eviction. It is never taken for an empty one.
    #[error("the stored session is damaged: {0}; delete it to start anew")]
    Damaged(String),
    #[error("metadata {0}")]
    InvalidMetadata(String),
    #[error("this is not a session: {0}")]
    InvalidSession(String),
    #[error("this is not a cursor of this listing")]
    InvalidCursor,

    /// At start only, like those below.
    #[error("cannot use the Redis URL")]
    InvalidUrl(#[source] Cause),
    #[error(
        "another process uses {}: stop it, or give this one its own --data-dir; several servers share sessions through Redis",
        .0.display()
    )]
    Locked(PathBuf),
    #[error(
        "{} is damaged and was left as it is: restore it from a backup, or move it away to start without what is in it",
        .path.display()
    )]
    Corrupt { path: PathBuf, source: Cause },
    #[error("cannot open {}", .path.display())]
    CannotOpen { path: PathBuf, source: Cause },
}

impl Error {
    /// The same failure once more, for another of those who shared a transaction.
    pub(super) fn shared(&self) -> Self {
        match self {
            Self::Full(cause) => Self::Full(cause.to_string().into()),
            Self::Failed(cause) => Self::Failed(cause.to_string().into()),
            other => Self::Failed(other.to_string().into()),
        }
    }

    /// Whether the same call may succeed later without anybody changing the session or the request.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Timeout
            | Self::Full(_)
            | Self::ReadOnly(_)
            | Self::Denied(_)
            | Self::Failed(_) => true,
            Self::Damaged(_)
            | Self::InvalidMetadata(_)
            | Self::InvalidSession(_)
            | Self::InvalidCursor
            | Self::InvalidUrl(_)
            | Self::Locked(_)
            | Self::Corrupt { .. }
            | Self::CannotOpen { .. } => false,
        }
    }
}
