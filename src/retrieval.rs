//! From a message to its source documents.

pub mod standalone;
