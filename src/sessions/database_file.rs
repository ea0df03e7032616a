//! A redb file: opening it, saying what is wrong with it, and opening it again after the disk failed. The embedded store
//! and the journal each have one.

use std::fs;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use footnote_knowledge::data_folder;
use redb::{Database, TableError, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;

/// Of the engine's page cache; its own default of 1 GiB would be most of what the server may use.
const CACHE_BYTES: usize = 16 << 20;

/// A file up to this size is checked as a whole at every start, which takes well under a second. The engine itself
/// checks (and repairs) only after a crash, and trusts what anything else did to the file in between.
const CHECKED_BYTES: u64 = 64 << 20;

/// How long a reader may hold a file that is to be closed.
const READERS_FINISH: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    /// `None` when closed.
    database: RwLock<Option<Arc<Database>>>,
    create_tables: CreateTables,
}

/// Makes the tables that are not there, so that readers find every one.
pub(super) type CreateTables = fn(&WriteTransaction) -> Result<(), TableError>;

impl DatabaseFile {
    /// A missing file is made; one that another process uses, or that is damaged, is left alone and reported.
    pub(super) fn open(path: PathBuf, create_tables: CreateTables) -> Result<Self, Error> {
        let database = open(&path, create_tables)?;
        Ok(Self { path, database: RwLock::new(Some(Arc::new(database))), create_tables })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For one transaction; not to be kept.
    pub(super) fn database(&self) -> Result<Arc<Database>, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.clone().ok_or_else(|| Error::Unavailable(Some("its file is closed".into())))
    }

    pub(super) fn close(&self) {
        close(&mut self.lock());
    }

    /// The engine refuses to go on after the disk failed once, for instance because it was full. What was committed is
    /// there again after opening the file anew.
    pub(super) fn reopen(&self) -> Result<(), Error> {
        let mut database = self.lock();
        close(&mut database);
        *database = Some(Arc::new(open(&self.path, self.create_tables)?));
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

fn open(path: &Path, create_tables: CreateTables) -> Result<Database, Error> {
    let cannot_open = |error: io::Error| Error::CannotOpen { path: path.to_owned(), source: Box::new(error) };
    if let Some(folder) = path.parent() {
        data_folder::make(folder).map_err(cannot_open)?;
    }
    let small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= CHECKED_BYTES);

    // On some damage the engine panics, its documentation says.
    let opened = catch_unwind(|| {
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).set_check_integrity_on_open(small).create(path)?;
        in_transaction(&database, create_tables).map(|()| database)
    });
    match opened {
        Ok(opened) => opened.map_err(|error| explain(error, path.to_owned())),
        Err(_) => Err(Error::Corrupt { path: path.to_owned(), source: "the engine could not read it".into() }),
    }
}

fn in_transaction(database: &Database, create_tables: CreateTables) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    create_tables(&transaction)?;
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

/// Any of the engine's errors: they differ by the call, but all end in [`redb::Error`].
pub(super) fn engine(error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    match &error {
        redb::Error::Io(io) if is_full(io) => Error::Full(Box::new(error)),
        _ => Error::Failed(Box::new(error)),
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Failed(Box::new(error)))
}

pub(super) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| Error::Damaged(format!("unreadable entry ({error})")))
}
