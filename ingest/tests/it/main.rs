//! `ingest` as its users see it: the library on real folders with the real engine and embedder, and the program.

mod bad_input;
mod chunking;
mod extraction;
mod files;
mod folders;
mod knowledge;
mod program;
