//! The one thread that changes a collection.
//!
//! The engine's `flush` panics beside a concurrent `update` or `optimize`, and what was not flushed is lost when the
//! process dies (its log is not replayed on loading). So one thread does all three, and a write is acknowledged after
//! the flush that covers it. Writes that queued up meanwhile share one.
//!
//! New points go into a segment that grows in memory. Now and then, and when nobody writes, the engine makes an
//! unchanging, mapped one of it, which opens at once and takes little memory. Writes wait meanwhile, searches do not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use qdrant_edge::{EdgeShard, UpdateOperation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::super::error::Error;

/// Writers wait when this many operations are queued: bounds memory, an operation being up to 64 points.
const QUEUE_LENGTH: usize = 64;

/// An ingest is compacted every so many points: some seconds of work, for some hundred MB less of memory.
const POINTS_UNTIL_COMPACTION: usize = 20_000;

/// When nobody has written for so long, nobody is likely to wait.
const IDLE_UNTIL_COMPACTION: Duration = Duration::from_secs(10);

/// Nothing is added when less than this is free. The engine's files are mapped and have holes: filling one on a full
/// disk ends the process (SIGBUS). It makes them 32 MiB at a time, one for each kind of data.
const LEAST_FREE_BYTES: u64 = 128 << 20;

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
    pub(super) fn start(folder: PathBuf, engine: Arc<RwLock<Option<EdgeShard>>>) -> Result<Self, std::io::Error> {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("vector-writer".to_owned())
            .spawn(move || write_until_closed(&folder, &engine, &receiver))?;
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

/// Ends when the queue is closed and empty, or when the engine failed: then nothing more can be promised, and every
/// later write is refused until the folder is opened again.
fn write_until_closed(folder: &Path, engine: &RwLock<Option<EdgeShard>>, queue: &mpsc::Receiver<Job>) {
    // What is there when it is opened may be uncompacted.
    let mut growth = Growth { points: 0, compacted: false };
    loop {
        let first = if growth.compacted {
            queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            queue.recv_timeout(IDLE_UNTIL_COMPACTION)
        };
        let mut batch = match first {
            Ok(first) => vec![first],
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let idle = batch.is_empty();
        batch.extend(queue.try_iter().take(QUEUE_LENGTH - 1));
        let engine = engine.read().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = engine.as_ref() else { return };
        let (work, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.work, (job.done, job._place))).unzip();
        // A full disk makes `flush` panic.
        let outcomes = catch_unwind(AssertUnwindSafe(|| apply_and_flush(folder, engine, work, &mut growth)));
        let failed = outcomes.is_err();
        let outcomes = outcomes.unwrap_or_else(|_| waiting.iter().map(|_| Err(stopped())).collect());
        for ((done, _), outcome) in waiting.into_iter().zip(outcomes) {
            // Nobody waits any more when the caller was cancelled; the write stands.
            let _ = done.send(outcome);
        }
        let compacting = || {
            if idle || growth.points >= POINTS_UNTIL_COMPACTION { compact(folder, engine, &mut growth) } else { Ok(()) }
        };
        let failed = failed
            || match catch_unwind(AssertUnwindSafe(compacting)) {
                Ok(Ok(())) => false,
                Ok(Err(error)) => {
                    tracing::warn!(error.message = %error, "the vectors were not compacted; they are whole all the same");
                    false
                }
                Err(_) => true,
            };
        if failed {
            return;
        }
    }
}

/// What was written since the collection was compacted last.
struct Growth {
    points: usize,
    compacted: bool,
}

fn apply_and_flush(folder: &Path, engine: &EdgeShard, work: Vec<Work>, growth: &mut Growth) -> Vec<Result<(), Error>> {
    let apply = |work| match work {
        Work::Write(operation, points) => {
            check_space(folder)?;
            growth.points += points;
            growth.compacted = false;
            engine.update(*operation).map_err(|error| Error::engine("a write failed", error))
        }
        Work::Delete(operation) => {
            growth.compacted = false;
            engine.update(*operation).map_err(|error| Error::engine("deleting failed", error))
        }
        Work::Compact => compact(folder, engine, growth),
    };
    let outcomes = work.into_iter().map(apply).collect();
    engine.flush();
    outcomes
}

/// Does nothing where little would be gained: the engine decides.
fn compact(folder: &Path, engine: &EdgeShard, growth: &mut Growth) -> Result<(), Error> {
    *growth = Growth { points: 0, compacted: true };
    check_space(folder)?;
    engine.optimize().map_err(|error| Error::engine("compacting the vectors failed", error))?;
    engine.flush();
    Ok(())
}

fn check_space(folder: &Path) -> Result<(), Error> {
    match fs4::available_space(folder) {
        Ok(free) if free < LEAST_FREE_BYTES => {
            let message = format!("{} MiB are free, {} MiB are needed", free >> 20, LEAST_FREE_BYTES >> 20);
            let source = std::io::Error::new(std::io::ErrorKind::StorageFull, message);
            Err(Error::Io { path: folder.to_owned(), source })
        }
        // A system that does not tell is not a reason to refuse.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn stopped() -> Error {
    Error::engine(
        "the embedded engine does not take writes",
        "it was closed, or a write to its folder failed (a full disk?); restart to open it again",
    )
}
