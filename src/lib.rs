//! Footnote: a chat server that answers from your documents, shows the passages it used, and remembers the conversation.

pub mod chat;
pub mod llm;
pub mod retrieval;
pub mod sessions;
pub mod source_document;
pub mod text;
