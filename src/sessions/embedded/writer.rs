//! The one thread that writes: it takes what has queued up, commits it as one transaction, then answers.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::Durability;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::tables;
use super::write::Tables;
use crate::sessions::database_file::{DatabaseFile, engine};
use crate::sessions::error::Error;
use crate::sessions::key::SessionKey;
use crate::sessions::store::{Append, Appended};
use crate::sessions::transfer::{ExportedSession, Imported};

/// How much one transaction takes at most; more waits for the next.
const GROUP: usize = 256;
const SWEPT_AT_ONCE: usize = 1000;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

pub(super) enum Work {
    Append { key: SessionKey, append: Append, reply: Reply<Appended> },
    Delete { key: SessionKey, reply: Reply<bool> },
    PatchMetadata { key: SessionKey, patch: Map<String, Value>, reply: Reply<bool> },
    Import { key: SessionKey, session: ExportedSession, replace: bool, reply: Reply<Imported> },
    Check { reply: Reply<()> },
    Prolong { key: SessionKey },
    Stop,
}

#[derive(Debug)]
pub(super) struct Writer {
    queue: Sender<Work>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(file: Arc<DatabaseFile>, ttl: Option<Duration>, max_messages: usize) -> Self {
        let (queue, queued) = channel();
        let thread = std::thread::Builder::new().name("sessions-writer".into());
        let writing = Writing { file, ttl, max_messages };
        let thread = thread.spawn(move || writing.run(&queued)).expect("a thread can be started");
        Self { queue, thread: Mutex::new(Some(thread)) }
    }

    /// Queues work and waits until it is on disk.
    pub(super) async fn run<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, Error> {
        let (reply, done) = oneshot::channel();
        let queued = self.queue.send(work(reply));
        let stopped = || Error::Unavailable(Some("the session file takes no writes".into()));
        queued.map_err(|_| stopped())?;
        done.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Queues a new expiry. Nobody waits for it: if the process is killed before it is on disk, a read counts for
    /// nothing, which at worst ends the session's life at the time that was promised before.
    pub(super) fn prolong(&self, key: SessionKey) {
        // Fails only after `stop`, when no life is prolonged any more.
        let _ = self.queue.send(Work::Prolong { key });
    }

    pub(super) async fn stop(&self) {
        let _ = self.queue.send(Work::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

struct Writing {
    file: Arc<DatabaseFile>,
    ttl: Option<Duration>,
    max_messages: usize,
}

impl Writing {
    fn run(&self, queued: &Receiver<Work>) {
        let sweep_every = self.ttl.unwrap_or(Duration::MAX).clamp(Duration::from_secs(1), Duration::from_secs(60));
        let mut swept_at = Instant::now();
        loop {
            let mut group = match queued.recv_timeout(sweep_every.saturating_sub(swept_at.elapsed())) {
                Ok(work) => vec![work],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            group.extend(queued.try_iter().take(GROUP));
            let stop = group.iter().any(|work| matches!(work, Work::Stop));
            if !group.is_empty() {
                self.commit(group);
            }
            if stop {
                return;
            }
            if swept_at.elapsed() >= sweep_every {
                self.sweep();
                swept_at = Instant::now();
            }
        }
    }

    fn commit(&self, group: Vec<Work>) {
        // A life prolonged is not worth a flush of its own; it goes to disk with the next turn.
        let durable = group.iter().any(|work| !matches!(work, Work::Prolong { .. }));
        let mut answers = Vec::with_capacity(group.len());
        let committed = self.transaction(durable, |tables| {
            answers.extend(group.into_iter().map(|work| self.apply(tables, work)));
            match answers.iter().find_map(|answer| answer.failure.as_ref()) {
                Some(failure) => Err(share(failure)),
                None => Ok(()),
            }
        });
        for answer in answers {
            (answer.send)(committed.as_ref().err());
        }
        if committed.is_err()
            && let Err(error) = self.file.reopen()
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot open the session file again");
        }
    }

    fn apply(&self, tables: &mut Tables<'_>, work: Work) -> Answer {
        match work {
            Work::Append { key, append, reply } => Answer::new(reply, tables.append(&key, &append, self.max_messages)),
            Work::Delete { key, reply } => Answer::new(reply, tables.delete(&key)),
            Work::PatchMetadata { key, patch, reply } => Answer::new(reply, tables.patch_metadata(&key, patch)),
            Work::Import { key, session, replace, reply } => {
                Answer::new(reply, tables.import(&key, session, replace, self.max_messages))
            }
            Work::Check { reply } => Answer::new(reply, tables.touch()),
            Work::Prolong { key } => Answer::to_nobody(tables.prolong(&key)),
            Work::Stop => Answer::to_nobody(Ok(())),
        }
    }

    fn sweep(&self) {
        loop {
            let mut swept = 0;
            let done = self.transaction(false, |tables| {
                swept = tables.sweep(SWEPT_AT_ONCE)?;
                Ok(())
            });
            if let Err(error) = done {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove expired sessions");
            }
            if swept < SWEPT_AT_ONCE {
                return;
            }
        }
    }

    fn transaction(
        &self,
        durable: bool,
        change: impl FnOnce(&mut Tables<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let database = self.file.database()?;
        let mut transaction = database.begin_write().map_err(engine)?;
        let durability = if durable { Durability::Immediate } else { Durability::None };
        transaction.set_durability(durability).map_err(engine)?;
        let mut tables = Tables::open(&transaction, self.ttl, tables::now())?;
        let changed = change(&mut tables);
        drop(tables);
        match changed {
            Ok(()) => transaction.commit().map_err(engine),
            // Dropping the transaction undoes it.
            Err(error) => Err(error),
        }
    }
}

type SendAnswer = Box<dyn FnOnce(Option<&Error>)>;

/// What one piece of work came to, to be told after the commit.
struct Answer {
    /// Set if the transaction must not be committed.
    failure: Option<Error>,
    /// Takes the failure of the whole transaction, if it failed.
    send: SendAnswer,
}

impl Answer {
    fn new<T: 'static>(reply: Reply<T>, result: Result<T, Error>) -> Self {
        let failure = result.as_ref().err().filter(|error| error.is_outage()).map(share);
        let send = move |failed: Option<&Error>| {
            let result = match failed {
                Some(failure) => result.and_then(|_| Err(share(failure))),
                None => result,
            };
            // Whoever asked may have gone away; the work is done all the same.
            let _ = reply.send(result);
        };
        Self { failure, send: Box::new(send) }
    }

    fn to_nobody(result: Result<(), Error>) -> Self {
        let failure = result.err().filter(Error::is_outage);
        Self { failure, send: Box::new(|_| {}) }
    }
}

/// The same failure once more, for another of those who shared the transaction.
fn share(error: &Error) -> Error {
    match error {
        Error::Full(cause) => Error::Full(cause.to_string().into()),
        Error::Failed(cause) => Error::Failed(cause.to_string().into()),
        other => Error::Failed(other.to_string().into()),
    }
}
