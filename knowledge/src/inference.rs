//! Neural networks in this process: their weights are in the binary, and they run on threads of their own, one unpadded
//! sequence at a time, so never on an async worker.

mod network;
mod workers;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

pub(crate) use network::{Network, Session, Shipped, shipped};
pub(crate) use workers::{Priority, Workers};

/// Why a network could not be loaded or run.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Threads that `run` the network, one for each core; `name` is what they are called.
pub(crate) fn start<Input, Run>(network: Network, name: &str, run: Run) -> Result<Workers<Input>, Error>
where
    Input: Send + 'static,
    Run: Fn(&Session, &Input) -> Result<Vec<f32>, Error> + Clone + Send + Sync + 'static,
{
    let network = Arc::new(network);
    Workers::start(name, available_parallelism().unwrap_or(NonZeroUsize::MIN), |jobs| {
        let (session, run) = (network.session(), run.clone());
        move || session.on_its_thread(|| jobs.answer_all(|input| run(&session, input)))
    })
}
