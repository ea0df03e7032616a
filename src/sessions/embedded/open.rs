//! Opening the file, and saying what is wrong with it.

use std::fs;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use redb::Database;

use super::tables::{BY_ACTIVITY, BY_EXPIRY, COUNTERS, MESSAGES, SESSIONS, TOMBSTONES};
use crate::sessions::error::Error;

/// Of the engine's page cache; its own default of 1 GiB would be most of what the server may use.
const CACHE_BYTES: usize = 16 << 20;

/// A file up to this size is checked as a whole at every start, which takes well under a second. The engine itself
/// checks (and repairs) only after a crash, and trusts what anything else did to the file in between.
const CHECKED_BYTES: u64 = 64 << 20;

pub(super) fn open(path: &Path) -> Result<Database, Error> {
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
