//! The file: opening it, saying what is wrong with it, and opening it again after the disk failed.

use std::fs;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use redb::Database;

use super::tables::{BY_ACTIVITY, BY_EXPIRY, COUNTERS, MESSAGES, SESSIONS, TOMBSTONES};
use crate::sessions::error::Error;

/// Of the engine's page cache; its own default of 1 GiB would be most of what the server may use.
const CACHE_BYTES: usize = 16 << 20;

/// A file up to this size is checked as a whole at every start, which takes well under a second. The engine itself
/// checks (and repairs) only after a crash, and trusts what anything else did to the file in between.
const CHECKED_BYTES: u64 = 64 << 20;

/// How long a reader may hold a file that is to be closed.
const READERS_FINISH: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    /// `None` when closed.
    database: RwLock<Option<Arc<Database>>>,
}

impl SessionFile {
    pub(super) fn open(path: PathBuf) -> Result<Self, Error> {
        let database = open(&path)?;
        Ok(Self { path, database: RwLock::new(Some(Arc::new(database))) })
    }

    /// For one transaction; not to be kept.
    pub(super) fn database(&self) -> Result<Arc<Database>, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.clone().ok_or_else(|| Error::Unavailable(Some("the session file is closed".into())))
    }

    pub(super) fn close(&self) {
        close(&mut self.lock());
    }

    /// The engine refuses to go on after the disk failed once, for instance because it was full. What was committed is
    /// there again after opening the file anew.
    pub(super) fn reopen(&self) -> Result<(), Error> {
        let mut database = self.lock();
        close(&mut database);
        *database = Some(Arc::new(open(&self.path)?));
        Ok(())
    }

    fn lock(&self) -> RwLockWriteGuard<'_, Option<Arc<Database>>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for readers, since the file stays locked until the last one is done.
fn close(database: &mut Option<Arc<Database>>) {
    let deadline = Instant::now() + READERS_FINISH;
    while database.as_ref().is_some_and(|database| Arc::strong_count(database) > 1) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    *database = None;
}

fn open(path: &Path) -> Result<Database, Error> {
    let cannot_open = |error: io::Error| Error::CannotOpen { path: path.to_owned(), source: Box::new(error) };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(cannot_open)?;
    }
    let small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= CHECKED_BYTES);

    // On some damage the engine panics, its documentation says.
    let opened = catch_unwind(|| {
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).set_check_integrity_on_open(small).create(path)?;
        create_tables(&database).map(|()| database)
    });
    match opened {
        Ok(opened) => opened.map_err(|error| explain(error, path.to_owned())),
        Err(_) => Err(Error::Corrupt { path: path.to_owned(), source: "the engine could not read it".into() }),
    }
}

/// Readers then find every table.
fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(SESSIONS)?;
    transaction.open_table(MESSAGES)?;
    transaction.open_table(BY_ACTIVITY)?;
    transaction.open_table(BY_EXPIRY)?;
    transaction.open_table(TOMBSTONES)?;
    transaction.open_table(COUNTERS)?;
    transaction.commit()?;
    Ok(())
}

fn explain(error: redb::Error, path: PathBuf) -> Error {
    use redb::Error as Engine;
    match error {
        Engine::DatabaseAlreadyOpen => Error::Locked(path),
        // What a file that never was a database gives.
        Engine::Io(io) if io.kind() == io::ErrorKind::InvalidData || io.kind() == io::ErrorKind::UnexpectedEof => {
            Error::Corrupt { path, source: Box::new(io) }
        }
        Engine::Io(io) => Error::CannotOpen { path, source: Box::new(io) },
        damage => Error::Corrupt { path, source: Box::new(damage) },
    }
}
