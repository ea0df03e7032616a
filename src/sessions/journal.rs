//! The journal of an outage: turns that wait for the store, on disk, so that they survive this process.
//!
//! It holds what [`super::pending`] holds in memory, and is read only when the next process starts. One thread writes;
//! it commits what has queued up as one transaction. A turn is removed after the store acknowledged it; if the process
//! is killed in between, the turn is sent once more, and its number tells the store that it has it.
//!
//! Each process has a file of its own, the first `journal-N.redb` that nobody uses. Whoever starts takes over the turns
//! in files that other processes left behind.

mod writer;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::{ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::database_file::{DatabaseFile, engine, from_json, to_json};
use super::error::Error;
use super::key::SessionKey;
use super::store::Append;
use writer::Writer;

/// Position → [`Entry`] as JSON. Positions grow with every turn.
const TURNS: TableDefinition<u64, &[u8]> = TableDefinition::new("turns");

#[derive(Debug)]
pub(super) struct Journal {
    writer: Writer,
}

/// A turn of an earlier process that still waits.
#[derive(Debug)]
pub(super) struct LeftTurn {
    pub(super) position: u64,
    pub(super) key: SessionKey,
    pub(super) append: Append,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    tenant: String,
    session_id: String,
    #[serde(flatten)]
    append: Append,
}

impl Journal {
    /// Opens a file in `folder` and gives the turns that wait, each server's in order. Blocks.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<LeftTurn>), Error> {
        let (own, left_behind) = open_files(folder)?;
        for file in &left_behind {
            take_over(&own, file)?;
        }
        let turns = read(&own)?;
        let next_position = turns.last().map_or(0, |(position, _)| position + 1);
        let turns = parse(turns);
        Ok((Self { writer: Writer::start(own, next_position) }, turns))
    }

    /// Returns the turn's position once it is on disk.
    pub(super) async fn write(&self, key: &SessionKey, append: &Append) -> Result<u64, Error> {
        let (tenant, session_id) = (key.tenant().to_owned(), key.id().to_owned());
        let entry = to_json(&Entry { tenant, session_id, append: append.clone() })?;
        self.writer.write(entry).await
    }

    /// Does not wait: see above.
    pub(super) fn remove(&self, position: u64) {
        self.writer.remove(position);
    }

    pub(super) async fn close(&self) {
        self.writer.stop().await;
    }
}

/// The file of this process, and those that nobody uses.
fn open_files(folder: &Path) -> Result<(DatabaseFile, Vec<DatabaseFile>), Error> {
    let highest = existing_slots(folder)?.into_iter().max();
    let mut files = Vec::new();
    for slot in 0.. {
        let is_new = highest.is_none_or(|highest| slot > highest);
        if is_new && !files.is_empty() {
            break;
        }
        match DatabaseFile::open(folder.join(format!("journal-{slot}.redb")), create_tables) {
            Ok(file) => files.push(file),
            // Of a process that runs.
            Err(Error::Locked(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let own = files.remove(0);
    Ok((own, files))
}

fn existing_slots(folder: &Path) -> Result<Vec<u32>, Error> {
    let cannot_open = |source: io::Error| Error::CannotOpen { path: folder.to_owned(), source: Box::new(source) };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_open(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>();
    let slot =
        |path: PathBuf| path.file_name()?.to_str()?.strip_prefix("journal-")?.strip_suffix(".redb")?.parse().ok();
    Ok(paths.map_err(cannot_open)?.into_iter().filter_map(slot).collect())
}

fn create_tables(transaction: &WriteTransaction) -> Result<(), TableError> {
    transaction.open_table(TURNS).map(drop)
}

type Stored = (u64, Vec<u8>);

fn read(file: &DatabaseFile) -> Result<Vec<Stored>, Error> {
    let transaction = file.database()?.begin_read().map_err(engine)?;
    let table = transaction.open_table(TURNS).map_err(engine)?;
    let mut turns = Vec::new();
    for entry in table.iter().map_err(engine)? {
        let (position, json) = entry.map_err(engine)?;
        turns.push((position.value(), json.value().to_vec()));
    }
    Ok(turns)
}

/// First into the one, then out of the other: a process killed in between leaves turns twice, not never.
fn take_over(own: &DatabaseFile, left_behind: &DatabaseFile) -> Result<(), Error> {
    let turns = read(left_behind)?;
    if turns.is_empty() {
        return Ok(());
    }
    tracing::info!(turns = turns.len(), file = %left_behind.path().display(), "takes over turns of another server");
    let next = read(own)?.last().map_or(0, |(position, _)| position + 1);
    writer::change(own, |table| {
        for (position, (_, json)) in (next..).zip(&turns) {
            table.insert(position, json.as_slice()).map_err(engine)?;
        }
        Ok(())
    })?;
    writer::change(left_behind, |table| table.retain(|_, _| false).map_err(engine))
}

/// Leaves out what is there twice, and what it cannot read, which stays in the file.
fn parse(turns: Vec<Stored>) -> Vec<LeftTurn> {
    let mut seen = HashSet::new();
    let mut parsed = Vec::new();
    for (position, json) in turns {
        match from_json::<Entry>(&json).and_then(|entry| {
            let key = SessionKey::in_tenant(&entry.tenant, &entry.session_id);
            Ok((key.map_err(|error| Error::Damaged(error.to_string()))?, entry.append))
        }) {
            Ok((key, append)) => {
                if seen.insert((append.writer, append.number)) {
                    parsed.push(LeftTurn { position, key, append });
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    position,
                    "a turn in the journal is unreadable"
                );
            }
        }
    }
    parsed
}

#[cfg(test)]
mod tests;
