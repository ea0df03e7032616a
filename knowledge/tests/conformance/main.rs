//! What every vector store promises, and what a collection makes of it: one suite, run on the embedded engine always
//! and on a Qdrant server when `QDRANT_URL` names one (gRPC, e.g. http://127.0.0.1:6334).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod concurrency;
mod crash;
mod disk;
mod documents;
mod embedded;
mod fixture;
mod fusion;
mod process;
mod ranking;
mod rebuild;
mod roots;
mod scripted_qdrant;
mod selection;
mod server;
mod tls;
mod vectors;
