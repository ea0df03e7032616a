//! `ingest` as its users see it: the library on real folders with the real engine and embedder, and the program.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world should panic")]

mod archives;
mod bad_input;
mod changes;
mod chunking;
mod commands;
mod data_folder;
mod endpoint;
mod extraction;
mod extractor;
mod files;
mod folders;
mod fuzz;
mod interruptions;
mod knowledge;
mod office;
mod program;
mod rebuilding;
mod roots;
mod stops;
mod tables;
