//! What Redis' errors mean here. What to do about them is in [`trouble`].

mod trouble;

use std::{fmt, io};

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::sessions::error::{Cause, Error};
use trouble::Trouble;

/// A failure with what to do about it, where that is known. On one line: the library's errors name themselves as their
/// own cause.
#[derive(Debug)]
struct Refusal {
    trouble: Option<Trouble>,
    error: RedisError,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trouble {
            Some(trouble) => write!(formatter, "{} ({})", trouble.advice(), self.error),
            None => self.error.fmt(formatter),
        }
    }
}

impl std::error::Error for Refusal {}

/// Whether the error says that no command would get an answer now, rather than what Redis thinks of this one.
pub(super) fn is_outage(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => {
            // A replica takes no writes, and reading a session is one. Another connection may find the new primary.
            use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly};
            matches!(kind, BusyLoading | ClusterDown | MasterDown | ReadOnly)
                || Trouble::of(error) == Some(Trouble::TooManyClients)
        }
        // A script of somebody else has been running for long.
        ErrorKind::Extension => error.code() == Some("BUSY"),
        ErrorKind::UnexpectedReturnType => false,
        _ => true,
    }
}

/// As an outage looks that is only noticed by waiting.
pub(super) fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

pub(super) fn unknown_master() -> RedisError {
    (ErrorKind::MasterNameNotFoundBySentinel, "a sentinel knows no master of this name").into()
}

/// Whether both mean the same trouble.
pub(super) fn are_alike(one: &RedisError, other: &RedisError) -> bool {
    one.kind() == other.kind() && Trouble::of(one) == Trouble::of(other)
}

pub(super) fn explain(error: RedisError) -> Error {
    if error.is_timeout() {
        return Error::Timeout;
    }
    let (trouble, outage) = (Trouble::of(&error), is_outage(&error));
    let cause: Cause = Box::new(Refusal { trouble, error });
    match trouble {
        Some(Trouble::OtherType) => Error::Damaged("something else is stored under one of its keys".into()),
        Some(Trouble::Full) => Error::Full(cause),
        Some(Trouble::Replica | Trouble::TooFewReplicas | Trouble::Disk) => Error::ReadOnly(cause),
        Some(Trouble::NoPassword | Trouble::WrongPassword | Trouble::Forbidden | Trouble::Protected) => {
            Error::Denied(cause)
        }
        _ if outage => Error::Unavailable(Some(cause)),
        _ => Error::Failed(cause),
    }
}
