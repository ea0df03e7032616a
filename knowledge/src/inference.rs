//! Neural networks in this process: their weights are in the binary, and they run on threads of their own, one unpadded
//! sequence at a time, so never on an async worker.

mod network;
mod workers;

pub(crate) use network::Network;
pub(crate) use workers::{Jobs, Priority, Workers};

/// Why a network could not be loaded or run.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
