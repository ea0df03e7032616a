//! From a message to its source documents.
