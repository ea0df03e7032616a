//! `ingest` as its users see it: the library on real folders with the real engine and embedder, and the program.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world should panic")]

mod bad_input;
mod chunking;
mod data_folder;
mod endpoint;
mod extraction;
mod files;
mod folders;
mod interruptions;
mod knowledge;
mod program;
mod roots;
mod stops;
