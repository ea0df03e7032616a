//! What Redis' errors mean here.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::sessions::error::Error;

/// Whether the error says that no command would get an answer now, rather than what Redis thinks of this one.
pub(super) fn is_outage(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => {
            // A replica takes no writes, and reading a session is one. Another connection may find the new primary.
            use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly};
            matches!(kind, BusyLoading | ClusterDown | MasterDown | ReadOnly)
        }
        // A script of somebody else has been running for long.
        ErrorKind::Extension => error.code() == Some("BUSY"),
        ErrorKind::UnexpectedReturnType => false,
        _ => true,
    }
}

pub(super) fn explain(error: RedisError) -> Error {
    if error.is_timeout() {
        return Error::Timeout;
    }
    match (error.kind(), error.code()) {
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => Error::ReadOnly(Box::new(error)),
        (ErrorKind::Server(ServerErrorKind::NoPerm) | ErrorKind::AuthenticationFailed, _) => {
            Error::Denied(Box::new(error))
        }
        (_, Some("NOAUTH" | "WRONGPASS")) => Error::Denied(Box::new(error)),
        (_, Some("OOM")) => Error::Full(Box::new(error)),
        _ if is_outage(&error) => Error::Unavailable(Some(Box::new(error))),
        _ => Error::Failed(Box::new(error)),
    }
}
