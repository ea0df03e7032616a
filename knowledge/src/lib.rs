//! What the chat server and `ingest` both know of documents: how text becomes vectors ([`embedding`]), where the
//! vectors live ([`vector_store`]), and how documents and chunks are named, kept and searched ([`collection`]).
//!
//! Extraction and chunking live in `ingest`, everything about conversations in the server.

pub mod blocking;
pub mod collection;
pub mod connect;
pub mod cross_encoder;
pub mod data_folder;
pub mod embedding;
mod inference;
pub mod openai_endpoint;
pub mod options;
pub mod secret;
pub mod server_file;
pub mod tls;
pub mod vector_store;
