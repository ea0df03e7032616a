//! What the engine leaves on disk and never removes itself.
//!
//! Its write-ahead log: it writes it, takes operation numbers from it, and never reads or shortens it. And the segments
//! it was building when the process was killed.

use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use super::super::error::Error;
use super::steps::{Step, reached};

/// The folder where the engine builds segments before they are whole; see its `TEMP_SEGMENTS_PATH`.
const UNFINISHED_SEGMENTS: &str = "temp_segments";

/// For a collection that is closed.
pub(super) fn remove(collection: &Path) -> Result<(), Error> {
    let unfinished = collection.join(UNFINISHED_SEGMENTS);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(|source| Error::Io { path: unfinished, source })?;
    }
    remove_old_log_parts(collection)
}

/// Removes all closed parts but the newest, oldest first: that one and the open part hold the highest operation number,
/// and what is left is without gaps whenever this is interrupted. The engine's own truncation keeps as much.
fn remove_old_log_parts(collection: &Path) -> Result<(), Error> {
    let folder = collection.join("wal");
    let remove = || -> Result<(), IoError> {
        let mut closed = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if let Some(first_number) = first_operation_of_closed(&path) {
                closed.push((first_number, path));
            }
        }
        closed.sort();
        closed.pop();
        for (_, path) in closed {
            fs::remove_file(path)?;
            reached(Step::LogPartRemoved);
        }
        Ok(())
    };
    remove().map_err(|source| Error::Io { path: folder.clone(), source })
}

fn first_operation_of_closed(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("closed-")?.parse().ok()
}

/// Of the logs of all collections in `folder`.
pub(super) fn log_bytes(folder: &Path) -> Result<u64, Error> {
    entries(folder)?.iter().map(|collection| log_bytes_of(&collection.path())).sum()
}

pub(super) fn log_bytes_of(collection: &Path) -> Result<u64, Error> {
    let folder = collection.join("wal");
    let bytes = |part: &fs::DirEntry| part.metadata().map(|metadata| metadata.len());
    let sum = entries(&folder)?.iter().map(bytes).sum::<Result<u64, IoError>>();
    sum.map_err(|source| Error::Io { path: folder, source })
}

/// None where there is no such folder.
fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    entries.map_err(|source| Error::Io { path: folder.to_owned(), source })
}
