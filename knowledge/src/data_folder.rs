//! Making the folder for our own files, so that nobody takes them for documents.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Makes `folder` and those above it, unless it is there. Into a new one goes a `.gitignore` of everything: the data folder
/// may lie in the folder that is ingested, or in somebody's repository. One that was there may hold more than ours.
pub fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut new = fs::DirBuilder::new();
    // What people have said and ingested is for nobody else on this machine.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut new, 0o700);
    match new.create(folder) {
        Ok(()) => hide(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The same for a folder which is all ours, also if it is not new.
pub(crate) fn hide(folder: &Path) -> io::Result<()> {
    match fs::File::create_new(folder.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"# Footnote's own files\n*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
