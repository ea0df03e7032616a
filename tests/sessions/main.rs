//! The session manager on its real stores, from outside. What an HTTP client sees of it is tested in `tests/it`.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod conformance;
mod embedded;
mod idempotency;
mod interleavings;
mod journal;
mod outages;
mod place;
#[path = "../support/redis_server.rs"]
mod redis_server;
mod shared;
mod transfer;
