//! Files on their way in: a folder that is removed again unless they all arrive.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use footnote_ingest::discover::is_left_by_an_editor;
use uuid::Uuid;

use super::job;

/// Why a name is none for a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    #[error("must not be empty, nor longer than 1024 bytes, nor a part of it longer than 255")]
    Length,
    #[error("must be a relative path with `/`, without `.`, `..` or control characters in it")]
    Path,
    #[error("must have no part that begins with a dot, as hidden files have")]
    Hidden,
    #[error("is one that editors leave behind: it ends in `~`, begins with `~$`, or stands between two `#`")]
    LeftByAnEditor,
    #[error("is there twice")]
    Twice,
    #[error("is a file and a folder at once")]
    FileAndFolder,
}

/// What its sender says of an upload.
#[derive(Debug, Clone, Default)]
pub struct AboutUpload {
    /// First part of the documents' sources.
    pub root: String,
    pub tags: Vec<String>,
    /// Fields of JSON records to take; all if there are none.
    pub json_fields: Vec<String>,
    /// Where the files lie on the sender's machine: documents of the same root from another folder are not replaced.
    pub folder: Option<String>,
    /// The sender is on this machine.
    pub from_here: bool,
    /// That folder is the one where documents of this root came from before, under another path.
    pub same_folder: bool,
}

#[derive(Debug)]
pub struct Upload {
    id: Uuid,
    folder: PathBuf,
    files: PathBuf,
    sources: HashSet<PathBuf>,
    /// Those above the files.
    folders: HashSet<PathBuf>,
    kept: bool,
}

impl Upload {
    pub(super) fn new(uploads: &Path, id: Uuid) -> io::Result<Self> {
        let (folder, files) = (job::folder(uploads, id), job::files_folder(uploads, id));
        footnote_knowledge::data_folder::make(uploads)?;
        fs::create_dir_all(&files)?;
        Ok(Self { id, folder, files, sources: HashSet::new(), folders: HashSet::new(), kept: false })
    }

    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    pub fn files(&self) -> usize {
        self.sources.len()
    }

    /// Where the document called `source` is to be written. Nothing is read from that name but a path below our folder.
    pub fn place(&mut self, source: &str) -> Result<PathBuf, InvalidSource> {
        if source.is_empty() || source.len() > 1024 {
            return Err(InvalidSource::Length);
        }
        if source.contains('\\') || source.chars().any(char::is_control) {
            return Err(InvalidSource::Path);
        }
        for part in source.split('/') {
            match part {
                "" | "." | ".." => return Err(InvalidSource::Path),
                part if part.starts_with('.') => return Err(InvalidSource::Hidden),
                part if part.len() > 255 => return Err(InvalidSource::Length),
                _ => {}
            }
        }
        let path = self.files.join(source);
        if path.file_name().is_some_and(is_left_by_an_editor) {
            return Err(InvalidSource::LeftByAnEditor);
        }
        let above: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| *folder != self.files).collect();
        if self.folders.contains(&path) || above.iter().any(|folder| self.sources.contains(*folder)) {
            return Err(InvalidSource::FileAndFolder);
        }
        self.folders.extend(above.into_iter().map(Path::to_owned));
        if self.sources.insert(path.clone()) { Ok(path) } else { Err(InvalidSource::Twice) }
    }

    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Makes the file at `place`, and the folders above it.
pub(crate) fn create(place: &Path) -> io::Result<File> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(place)
}
