//! The one thread that writes: it takes what has queued up, commits it as one transaction, then answers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redb::Durability;
use serde_json::{Map, Value};

use super::tables;
use super::write::Tables;
use crate::sessions::database_file::{DatabaseFile, engine};
use crate::sessions::error::Error;
use crate::sessions::key::SessionKey;
use crate::sessions::store::{Append, Appended};
use crate::sessions::transfer::{ExportedSession, Imported};
use crate::sessions::writer_thread::{Reply, WriterThread};

/// How much one transaction takes at most; more waits for the next.
const GROUP: usize = 256;
const SWEPT_AT_ONCE: usize = 1000;

#[derive(Debug)]
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
pub(super) struct Writer(WriterThread<Work>);

impl Writer {
    pub(super) fn start(file: Arc<DatabaseFile>, ttl: Option<Duration>, max_messages: usize) -> Self {
        let writing = Writing { file, ttl, max_messages };
        let run = move |queued: &_| writing.run(queued);
        Self(WriterThread::start("sessions-writer", "the session file takes no writes", run))
    }

    /// Queues work and waits until it is on disk.
    pub(super) async fn run<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, Error> {
        self.0.run(work).await
    }

    /// Queues a new expiry. Nobody waits for it: if the process is killed before it is on disk, a read counts for
    /// nothing, which at worst ends the session's life at the time that was promised before.
    pub(super) fn prolong(&self, key: SessionKey) {
        self.0.queue(Work::Prolong { key });
    }

    pub(super) async fn stop(&self) {
        self.0.end(Work::Stop).await;
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
                Some(failure) => Err(failure.shared()),
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
        let failure = result.as_ref().err().filter(|error| error.is_outage()).map(Error::shared);
        let send = move |failed: Option<&Error>| {
            let result = match failed {
                Some(failure) => result.and_then(|_| Err(failure.shared())),
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
