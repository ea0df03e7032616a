//! The server's public surface, end to end, on real parts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/embedding_server.rs"]
mod embedding_server;
#[path = "../support/model_server.rs"]
mod model_server;
#[path = "../support/redis_cluster.rs"]
mod redis_cluster;
#[path = "../support/redis_server.rs"]
mod redis_server;
#[path = "../support/rerank_server.rs"]
mod rerank_server;
#[path = "../support/server_process.rs"]
mod server_process;
#[path = "../support/test_app.rs"]
mod test_app;

mod access;
mod architecture;
mod ask;
mod bad_input;
mod conversation;
mod doctor;
mod documents;
mod eval;
mod idempotency;
mod injection;
mod logs;
mod memory;
mod model;
mod model_process;
mod operations;
mod packaging;
mod process;
mod redis_sessions;
mod reindex;
mod rerank;
mod retrieval;
mod sessions;
mod streaming;
mod uploads;
