//! The one thread that changes a collection.
//!
//! The engine's `flush` panics beside a concurrent `update` or `optimize`, and what was not flushed is lost when the
//! process dies (its log is not replayed on loading). So one thread does all three, and a write is acknowledged after
//! the flush that covers it. Writes that queued up meanwhile share one.
//!
//! After an error the engine refuses every later write until it is opened again, and after a panic nobody knows what it
//! holds. So it is opened again, as it was flushed last, and if that fails, now and then until it succeeds.
//!
//! New points go into a segment that grows in memory. Now and then, and when nobody writes, the engine makes an
//! unchanging, mapped one of it, which opens at once and takes little memory. Writes wait meanwhile, searches do not.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use qdrant_edge::{EdgeShard, UpdateOperation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::super::error::Error;
use super::engine::Engine;
use super::steps::{Step, reached};
use super::{leftovers, space};

/// Writers wait when this many operations are queued: bounds memory, an operation being up to 64 points.
const QUEUE_LENGTH: usize = 64;

/// An ingest is compacted every so many points: some seconds of work, for some hundred MB less of memory.
const POINTS_UNTIL_COMPACTION: usize = 20_000;

/// When nobody has written for so long, nobody is likely to wait.
const IDLE_UNTIL_COMPACTION: Duration = Duration::from_secs(10);

/// How long to wait until an engine that could not be opened again is tried once more.
const REOPEN_AFTER: Duration = Duration::from_secs(2);

/// The engine's log is only shortened when it is opened; from this size on that is worth some ms without searches.
const LONG_LOG_BYTES: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    done: oneshot::Sender<Result<(), Error>>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Adds so many points to what is on disk.
    Write(Box<UpdateOperation>, usize),
    Delete(Box<UpdateOperation>),
    Compact,
}

impl Writer {
    pub(super) fn start(engine: Arc<Engine>) -> Result<Self, std::io::Error> {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("vector-writer".to_owned())
            .spawn(move || write_until_closed(&engine, &receiver))?;
        let places = Arc::new(Semaphore::new(QUEUE_LENGTH));
        Ok(Self { queue: Mutex::new(Some(sender)), places, thread: Mutex::new(Some(thread)) })
    }

    /// Does the work in its order; returns when all is on disk.
    pub(super) async fn run(&self, work: impl IntoIterator<Item = Work>) -> Result<(), Error> {
        let mut pending = Vec::new();
        for work in work {
            pending.push(self.submit(work).await?);
        }
        for done in pending {
            done.await.map_err(|_| stopped())??;
        }
        Ok(())
    }

    async fn submit(&self, work: Work) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let (done, outcome) = oneshot::channel();
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| stopped())?;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().ok_or_else(stopped)?.send(Job { work, done, _place: place }).map_err(|_| stopped())?;
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

/// Ends when the queue is closed and empty.
fn write_until_closed(engine: &Engine, queue: &mpsc::Receiver<Job>) {
    let mut growth = Growth { points: 0, compacted: false };
    while let Some(batch) = next_batch(engine, queue, &growth) {
        reopen_if_failed(engine);
        let idle = batch.is_empty();
        let (work, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.work, (job.done, job._place))).unzip();
        let outcomes = engine.write(|shard| apply_and_flush(engine, shard, work, &mut growth));
        let outcomes = outcomes.unwrap_or_else(|| waiting.iter().map(|_| Err(engine.not_open())).collect());
        for ((done, _), outcome) in waiting.into_iter().zip(outcomes) {
            // Nobody waits any more when the caller was cancelled; the write stands.
            let _ = done.send(outcome);
        }
        reopen_if_failed(engine);
        if idle || growth.points >= POINTS_UNTIL_COMPACTION {
            compact_unasked(engine, &mut growth);
            reopen_if_failed(engine);
        }
        if idle && leftovers::log_bytes_of(engine.folder()).is_ok_and(|bytes| bytes > LONG_LOG_BYTES) {
            reopen(engine);
        }
    }
}

/// What was written since the collection was compacted last; what is there when it is opened may not be compacted.
struct Growth {
    points: usize,
    compacted: bool,
}

/// What is queued, or nothing when there was nothing for a while; None when the queue is closed and empty.
fn next_batch(engine: &Engine, queue: &mpsc::Receiver<Job>, growth: &Growth) -> Option<Vec<Job>> {
    let first = match (engine.has_failed(), growth.compacted) {
        (true, _) => queue.recv_timeout(REOPEN_AFTER),
        (false, false) => queue.recv_timeout(IDLE_UNTIL_COMPACTION),
        (false, true) => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    match first {
        Ok(first) => Some([first].into_iter().chain(queue.try_iter().take(QUEUE_LENGTH - 1)).collect()),
        Err(RecvTimeoutError::Timeout) => Some(Vec::new()),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

fn apply_and_flush(engine: &Engine, shard: &EdgeShard, work: Vec<Work>, growth: &mut Growth) -> Vec<Result<(), Error>> {
    let outcomes = work.into_iter().map(|work| apply(engine, shard, work, growth)).collect();
    reached(Step::Applied);
    engine.flush(shard);
    reached(Step::Flushed);
    outcomes
}

fn apply(engine: &Engine, shard: &EdgeShard, work: Work, growth: &mut Growth) -> Result<(), Error> {
    let (operation, points, needed) = match work {
        Work::Write(operation, points) => (operation, points, space::FOR_POINTS),
        Work::Delete(operation) => (operation, 0, space::FOR_MARKS),
        Work::Compact => return compact(engine, shard, growth),
    };
    space::expect(engine.folder(), needed)?;
    growth.points += points;
    growth.compacted = false;
    engine.change(shard, *operation)
}

fn compact(engine: &Engine, shard: &EdgeShard, growth: &mut Growth) -> Result<(), Error> {
    *growth = Growth { points: 0, compacted: true };
    // What is merged is written anew before the old goes.
    let segments = space::used(&engine.folder().join("segments"));
    space::expect(engine.folder(), space::FOR_POINTS + segments)?;
    engine.merge(shard)?;
    reached(Step::Merged);
    engine.flush(shard);
    Ok(())
}

fn compact_unasked(engine: &Engine, growth: &mut Growth) {
    if let Some(Err(error)) = engine.write(|shard| compact(engine, shard, growth)) {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the vectors were not compacted; they are whole all the same");
    }
}

fn reopen_if_failed(engine: &Engine) {
    if engine.has_failed() {
        reopen(engine);
    }
}

fn reopen(engine: &Engine) {
    let folder = engine.folder().display();
    match engine.reopen() {
        Ok(()) => tracing::info!(vectors.folder = %folder, "the vectors were opened again"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(vectors.folder = %folder, error, "the vectors cannot be opened again yet");
        }
    }
}

fn stopped() -> Error {
    Error::Unavailable { message: "it was closed".to_owned() }
}
