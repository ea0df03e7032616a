//! The one thread that changes the journal's file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use redb::Table;

use super::TURNS;
use crate::sessions::database_file::{DatabaseFile, engine};
use crate::sessions::error::Error;
use crate::sessions::writer_thread::{Reply, WriterThread};

/// How much one transaction takes at most.
const GROUP: usize = 1024;

#[derive(Debug)]
pub(super) struct Writer {
    thread: WriterThread<Work>,
    next_position: AtomicU64,
}

#[derive(Debug)]
enum Work {
    Write { position: u64, entry: Vec<u8>, reply: Reply<()> },
    Remove { position: u64 },
    Stop,
}

impl Writer {
    pub(super) fn start(file: DatabaseFile, next_position: u64) -> Self {
        let run = move |queued: &_| run(&file, queued);
        let thread = WriterThread::start("journal-writer", "the journal takes no turns any more", run);
        Self { thread, next_position: AtomicU64::new(next_position) }
    }

    pub(super) async fn write(&self, entry: Vec<u8>) -> Result<u64, Error> {
        let position = self.next_position.fetch_add(1, Ordering::Relaxed);
        self.thread.run(|reply| Work::Write { position, entry, reply }).await?;
        Ok(position)
    }

    /// After `stop` it is not done; then the turn is sent once more by the next process, which changes nothing.
    pub(super) fn remove(&self, position: u64) {
        self.thread.queue(Work::Remove { position });
    }

    pub(super) async fn stop(&self) {
        self.thread.end(Work::Stop).await;
    }
}

fn run(file: &DatabaseFile, queued: &Receiver<Work>) {
    while let Ok(first) = queued.recv() {
        let mut group = vec![first];
        group.extend(queued.try_iter().take(GROUP));
        let committed = change(file, |table| group.iter().try_for_each(|work| apply(table, work)));
        if committed.is_err()
            && let Err(error) = file.reopen()
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot open the journal again");
        }
        let stop = group.iter().any(|work| matches!(work, Work::Stop));
        for work in group {
            if let Work::Write { reply, .. } = work {
                // Whoever asked may have gone away; the turn is on disk all the same.
                let _ = reply.send(committed.as_ref().copied().map_err(Error::shared));
            }
        }
        if stop {
            return;
        }
    }
}

fn apply(table: &mut Table<'_, u64, &'static [u8]>, work: &Work) -> Result<(), Error> {
    match work {
        Work::Write { position, entry, .. } => table.insert(position, entry.as_slice()).map(drop).map_err(engine),
        Work::Remove { position } => table.remove(position).map(drop).map_err(engine),
        Work::Stop => Ok(()),
    }
}

/// One transaction, on disk when this returns.
pub(super) fn change(
    file: &DatabaseFile,
    change: impl FnOnce(&mut Table<'_, u64, &'static [u8]>) -> Result<(), Error>,
) -> Result<(), Error> {
    let transaction = file.database()?.begin_write().map_err(engine)?;
    {
        let mut table = transaction.open_table(TURNS).map_err(engine)?;
        change(&mut table)?;
    }
    transaction.commit().map_err(engine)
}
