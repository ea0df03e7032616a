//! Footnote: a chat server that answers from your documents, shows the passages it used, and remembers the conversation.
//!
//! `http` frames requests and answers, `chat` tells one turn from top to bottom, and below it stand `retrieval`,
//! `sessions` and `llm`. `app` puts them together.

pub mod app;
pub mod chat;
pub mod cli;
pub mod client;
pub mod commands;
pub mod doctor;
pub mod documents_command;
pub mod eval;
pub mod http;
pub mod ingesting;
pub mod jobs;
pub mod library;
mod listening;
pub mod llm;
mod parts;
pub mod readiness;
pub mod retrieval;
mod server_folder;
mod serving;
pub mod session_files;
pub mod sessions;
pub mod signals;
pub mod source_document;
pub mod telemetry;
pub mod text;
pub mod welcome;
