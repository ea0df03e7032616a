//! Finds documents, extracts and chunks their text, embeds the chunks and writes them into a collection.

pub mod chunk;
pub mod discover;
pub mod extract;
