//! Embedders through their public surface: the built-in model against sentence-transformers, the remote one against a
//! real HTTP server that follows a script.

mod local;
mod openai;
mod scripted_endpoint;
