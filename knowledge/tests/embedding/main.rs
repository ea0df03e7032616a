//! Embedders through their public surface: the built-in model against sentence-transformers, the remote one against a
//! real HTTP server that follows a script.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cross_encoder;
mod local;
mod openai;
mod scripted_endpoint;
