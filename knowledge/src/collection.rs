//! A collection of documents: names, payload and fingerprint, replacing a document whole, and hybrid search.

mod document;

pub use document::{Chunk, Document, Filter, NewChunk, NewDocument};
