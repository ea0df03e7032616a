//! The files inside a zip archive, each a document of its own.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

/// More files in one archive, or more bytes of them together, are no folder of documents but a bomb.
const MOST_FILES: usize = 100_000;
const MOST_BYTES: u64 = 32 << 30;

/// A file in an archive; cheap to clone, all of one archive share its open file.
#[derive(Clone)]
pub struct Member {
    archive: ZipArchive<SharedFile>,
    /// Of the whole archive.
    archive_bytes: u64,
    index: usize,
}

/// What an archive holds, and what of it is no document.
pub(super) enum Entry {
    File { name: String, bytes: u64, member: Member },
    Refused { name: String, reason: &'static str },
}

/// Whether the file at `path` is to be looked into rather than read.
pub(super) fn is_archive(path: &Path) -> bool {
    let is_called_so = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    let mut start = [0; 2];
    is_called_so && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"PK"
}

/// The entries in the order of the archive, or why there are none, for people.
pub(super) fn entries(path: &Path) -> Result<Vec<Entry>, String> {
    let file = SharedFile::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let archive_bytes = file.length;
    let mut archive = ZipArchive::new(file).map_err(|error| format!("damaged or incomplete: {error}"))?;
    if archive.len() > MOST_FILES {
        return Err(format!("more than {MOST_FILES} files in it"));
    }
    let mut entries = Vec::with_capacity(archive.len());
    let (mut bytes, mut names) = (0_u64, HashSet::new());
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| format!("damaged or incomplete: {error}"))?;
        bytes = bytes.saturating_add(entry.size());
        let name = entry.enclosed_name();
        let is_file = !entry.is_dir();
        let (is_link, size) = (entry.is_symlink(), entry.size());
        let shown = printable_name(entry.name_raw());
        drop(entry);
        match name.and_then(|name| name.to_str().map(|name| name.replace('\\', "/"))) {
            _ if !is_file => {}
            _ if is_link => entries.push(Entry::Refused { name: shown, reason: "a link in an archive" }),
            None => {
                entries
                    .push(Entry::Refused { name: shown, reason: "its name leads out of the archive, or is no text" });
            }
            // Hidden files are left out as in folders, and so is what macOS adds for itself.
            Some(name) if name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX") => {}
            // Two names that differ in how they divide folders are one.
            Some(name) if !names.insert(name.clone()) => {
                entries.push(Entry::Refused { name: shown, reason: "its name is there twice" });
            }
            Some(name) => {
                let member = Member { archive: archive.clone(), archive_bytes, index };
                entries.push(Entry::File { name, bytes: size, member });
            }
        }
    }
    if bytes > MOST_BYTES { Err(format!("unpacked it is larger than {} GiB", MOST_BYTES >> 30)) } else { Ok(entries) }
}

fn printable_name(raw: &[u8]) -> String {
    let name = String::from_utf8_lossy(raw);
    // One part of a source: what leads elsewhere is only shown.
    name.replace(['/', '\\'], "_").chars().filter(|character| !character.is_control()).collect()
}

impl Member {
    pub(super) fn archive_bytes(&self) -> u64 {
        self.archive_bytes
    }

    /// Unpacks up to `most` bytes of it. A size that is not the one it was announced with is an error.
    pub(crate) fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let mut archive = self.archive.clone();
        let entry = archive.by_index(self.index).map_err(io::Error::from)?;
        let announced = entry.size();
        let mut bytes = Vec::new();
        entry.take(most.min(announced.saturating_add(1))).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > announced {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than the archive says"));
        }
        Ok(bytes)
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Member").field("index", &self.index).finish_non_exhaustive()
    }
}

/// One open file, read at several places at the same time.
#[derive(Clone)]
struct SharedFile {
    file: Arc<File>,
    length: u64,
    position: u64,
}

impl SharedFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), length, position: 0 })
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.position)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(by) => (self.position, by),
            SeekFrom::End(by) => (self.length, by),
        };
        let position = from.checked_add_signed(by);
        self.position = position.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the beginning"))?;
        Ok(self.position)
    }
}
