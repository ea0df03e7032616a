//! The session manager on its real stores, from outside. What an HTTP client sees of it is tested in `tests/it`.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/chaos_proxy.rs"]
mod chaos_proxy;
#[path = "../support/redis_cluster.rs"]
mod redis_cluster;
#[path = "../support/redis_sentinel.rs"]
mod redis_sentinel;
#[path = "../support/redis_server.rs"]
mod redis_server;
#[path = "../support/shared_servers.rs"]
mod shared_servers;

mod addresses;
mod cluster;
mod conformance;
mod diagnosis;
mod embedded;
mod idempotency;
mod interleavings;
mod journal;
mod lost_replies;
mod outages;
mod permissions;
mod place;
mod refusals;
mod sentinel;
mod shared;
mod tls;
mod transfer;
