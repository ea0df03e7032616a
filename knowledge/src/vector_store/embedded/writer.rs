//! The one thread that changes a collection.
//!
//! The engine's `flush` panics beside a concurrent `update` or `optimize`, and what was not flushed is lost when the
//! process dies (its log is not replayed on loading). So one thread does all three, and a write is acknowledged after
//! the flush that covers it. Writes that queued up meanwhile share one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use qdrant_edge::{EdgeShard, UpdateOperation};
use tokio::sync::{mpsc, oneshot};

use super::super::error::Error;

/// Writers wait when this many operations are queued: bounds memory, an operation being up to 64 points.
const QUEUE_LENGTH: usize = 64;

#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    done: oneshot::Sender<Result<(), Error>>,
}

#[derive(Debug)]
enum Work {
    Update(Box<UpdateOperation>),
    Compact,
}

impl Writer {
    pub(super) fn start(engine: Arc<RwLock<Option<EdgeShard>>>) -> Result<Self, std::io::Error> {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let thread = thread::Builder::new()
            .name("vector-writer".to_owned())
            .spawn(move || write_until_closed(&engine, receiver))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Applies the operations in their order; returns when all are on disk.
    pub(super) async fn update(&self, operations: Vec<UpdateOperation>) -> Result<(), Error> {
        let mut pending = Vec::with_capacity(operations.len());
        for operation in operations {
            pending.push(self.submit(Work::Update(Box::new(operation))).await?);
        }
        for done in pending {
            done.await.map_err(|_| stopped())??;
        }
        Ok(())
    }

    pub(super) async fn compact(&self) -> Result<(), Error> {
        self.submit(Work::Compact).await?.await.map_err(|_| stopped())?
    }

    async fn submit(&self, work: Work) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let (done, outcome) = oneshot::channel();
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(stopped)?;
        queue.send(Job { work, done }).await.map_err(|_| stopped())?;
        Ok(outcome)
    }

    /// Finishes what is queued and ends the thread.
    pub(super) fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes vectors panicked");
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread.as_ref() {
            Some(thread) if !thread.is_finished() => Ok(()),
            Some(_) | None => Err(stopped()),
        }
    }
}

/// Ends when the queue is closed and empty, or when the engine failed: then nothing more can be promised, and every
/// later write is refused until the folder is opened again.
fn write_until_closed(engine: &RwLock<Option<EdgeShard>>, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < QUEUE_LENGTH
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        let engine = engine.read().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = engine.as_ref() else { return };
        let (work, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.work, job.done)).unzip();
        // A full disk makes `flush` panic.
        let outcomes = catch_unwind(AssertUnwindSafe(|| apply_and_flush(engine, work)));
        let failed = outcomes.is_err();
        let outcomes = outcomes.unwrap_or_else(|_| waiting.iter().map(|_| Err(stopped())).collect());
        for (done, outcome) in waiting.into_iter().zip(outcomes) {
            // Nobody waits any more when the caller was cancelled; the write stands.
            let _ = done.send(outcome);
        }
        if failed {
            return;
        }
    }
}

fn apply_and_flush(engine: &EdgeShard, work: Vec<Work>) -> Vec<Result<(), Error>> {
    let apply = |work| match work {
        Work::Update(operation) => engine.update(*operation).map_err(|error| Error::engine("a write failed", error)),
        Work::Compact => {
            engine.optimize().map(|_| ()).map_err(|error| Error::engine("compacting the vectors failed", error))
        }
    };
    let outcomes = work.into_iter().map(apply).collect();
    engine.flush();
    outcomes
}

fn stopped() -> Error {
    Error::engine(
        "the embedded engine does not take writes",
        "it was closed, or a write to its folder failed (a full disk?); restart to open it again",
    )
}
