//! Room on the disk, asked for before the engine writes: its files are mapped and have holes, and to fill one on a full
//! disk ends the process (SIGBUS).

use std::fs::{self, Metadata};
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use super::super::error::Error;

/// For points: the engine makes files 32 MiB at a time, one for each kind of data.
pub(super) const FOR_POINTS: u64 = 128 << 20;

/// For opening a collection and for marking points as deleted, which must be possible when nothing can be added any more:
/// a few pages, the next part of the log, and where files keep their holes in memory (tmpfs) 2 MiB for each payload index,
/// which are read whole.
pub(super) const FOR_MARKS: u64 = 24 << 20;

/// Refuses when less than `needed` bytes are free where `folder` is.
pub(super) fn expect(folder: &Path, needed: u64) -> Result<(), Error> {
    match fs4::available_space(folder) {
        Ok(free) if free < needed => {
            let message = format!("{} MiB are free, {} MiB are needed", free >> 20, needed >> 20);
            Err(Error::Io { path: folder.to_owned(), source: IoError::new(ErrorKind::StorageFull, message) })
        }
        // A system that does not tell is not a reason to refuse.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What the files below `folder` take.
pub(super) fn used(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let used_by = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used(&entry.path()),
        Ok(metadata) => allocated(&metadata),
        // Gone meanwhile.
        Err(_) => 0,
    };
    entries.flatten().map(used_by).sum()
}

/// Without the holes.
#[cfg(unix)]
fn allocated(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &Metadata) -> u64 {
    metadata.len()
}
