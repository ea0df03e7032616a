//! The answerers from outside: the real client against a scripted model server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/model_server.rs"]
mod model_server;

mod extractive;
mod failures;
mod prompt;
mod streaming;
mod support;
