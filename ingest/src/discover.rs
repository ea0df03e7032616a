//! Finds the files to ingest and names each one; what is in them is the business of [`crate::extract`].
//!
//! Hidden files are left out, `.gitignore` and `.footnoteignore` are honoured. Symbolic links inside a folder are never
//! followed, so that nothing is found twice, nothing outside is read that was not asked for, and no loop is entered.
//! What is in a zip archive is found as if the archive were a folder.

mod archive;
mod root;
mod snapshot;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::report::Outcome;
use archive::Entry;
use ignore::{DirEntry, WalkBuilder};

pub use archive::Member;
pub use root::{Inside, Root, RootError, Roots, Unreached, check_root_name, roots};
pub use snapshot::Snapshot;

/// A file to ingest.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Of the file, or of the archive that it is in.
    pub path: PathBuf,
    /// Given for a file in an archive.
    pub member: Option<Member>,
    /// `<root name>/<relative path>`, with `/` on every system.
    pub source: String,
    pub bytes: u64,
    /// When it was changed last, if that is known.
    pub modified: Option<SystemTime>,
    /// Named on the command line, so that it is tried whatever it is called.
    pub asked_for: bool,
}

/// What the walk came upon.
#[derive(Debug, Clone)]
pub enum Found {
    File(Candidate),
    /// Left out, for a reason worth telling.
    Skipped {
        source: String,
        reason: String,
    },
    /// Cannot be read, nor can what lies below it.
    Unreadable {
        source: String,
        reason: String,
        advice: String,
    },
    /// At a given path, which is no source.
    Nothing {
        given: String,
        reason: String,
        advice: String,
    },
}

impl Found {
    /// The file, or what became of what is none.
    pub(crate) fn file(self) -> Result<Candidate, Outcome> {
        match self {
            Self::File(candidate) => Ok(candidate),
            Self::Skipped { reason, .. } => Err(Outcome::Skipped { reason }),
            Self::Unreadable { reason, advice, .. } | Self::Nothing { reason, advice, .. } => {
                Err(Outcome::Failed { reason, advice })
            }
        }
    }

    /// What it is reported as.
    pub(crate) fn source(&self) -> &str {
        match self {
            Self::File(Candidate { source, .. }) | Self::Skipped { source, .. } | Self::Unreadable { source, .. } => {
                source
            }
            Self::Nothing { given, .. } => given,
        }
    }
}

/// Walks the roots and hands over each thing found, until `handle` returns false. Blocks; the order is not defined.
pub fn walk(roots: &Roots, mut handle: impl FnMut(Found) -> bool) {
    let Roots { there, unreached } = roots;
    for Unreached { given, reason, advice } in unreached.iter().cloned() {
        if !handle(Found::Nothing { given: given.display().to_string(), reason, advice }) {
            return;
        }
    }
    // What is in two of the roots is found twice.
    let mut seen = (there.len() > 1).then(HashSet::new);
    for found in files_first(there).flat_map(found_in).flat_map(unpacked) {
        let is_new = seen.as_mut().is_none_or(|seen| seen.insert(found.source().to_owned()));
        if is_new && !handle(found) {
            return;
        }
    }
}

/// Like [`walk`], but archives are files like others, and what is in two of the roots comes twice.
fn walk_unopened(roots: &[Root], handle: impl FnMut(Found)) {
    files_first(roots).flat_map(found_in).for_each(handle);
}

/// One file may be reached through two of the roots, a folder and a file in it. Then it was asked for.
fn files_first(roots: &[Root]) -> impl Iterator<Item = &Root> {
    let (files, folders): (Vec<_>, Vec<_>) = roots.iter().partition(|root| matches!(root.inside, Inside::File(_)));
    files.into_iter().chain(folders)
}

fn found_in(root: &Root) -> Box<dyn Iterator<Item = Found> + '_> {
    match &root.inside {
        Inside::File(file) => Box::new(std::iter::once(named_file(root, file))),
        Inside::Folder(folder) => Box::new(folder_walk(&root.folder.join(folder)).filter_map(|entry| match entry {
            Ok(entry) => classify(root, &entry),
            Err(error) => Some(unreadable(root, &error)),
        })),
    }
}

/// What is in an archive, or what was found itself.
fn unpacked(found: Found) -> Vec<Found> {
    let Found::File(candidate) = found else { return vec![found] };
    if !archive::is_archive(&candidate.path) {
        return vec![Found::File(candidate)];
    }
    let Candidate { path, source, modified, .. } = candidate;
    match archive::entries(&path) {
        Err(reason) => {
            let advice = "open it to check it, and fetch or pack it again, or divide it".to_owned();
            vec![Found::Unreadable { source, reason, advice }]
        }
        Ok(entries) => entries
            .into_iter()
            .map(|entry| match entry {
                Entry::File { name, bytes, member } => {
                    let (path, member, source) = (path.clone(), Some(member), format!("{source}/{name}"));
                    Found::File(Candidate { path, member, source, bytes, modified, asked_for: false })
                }
                Entry::Refused { name, reason } => {
                    Found::Skipped { source: format!("{source}/{name}"), reason: reason.to_owned() }
                }
            })
            .collect(),
    }
}

fn folder_walk(folder: &Path) -> ignore::Walk {
    WalkBuilder::new(folder)
        .hidden(true)
        .follow_links(false)
        // Only what lies in the folder decides, so that every machine finds the same files in it.
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .git_ignore(true)
        .ignore(false)
        .add_custom_ignore_filename(".footnoteignore")
        .build()
}

fn named_file(root: &Root, file: &Path) -> Found {
    let path = root.folder.join(file);
    let source = root.source_of(&path);
    match std::fs::metadata(&path) {
        Ok(_) if root.relative(&path).is_none() => misnamed(source),
        Ok(metadata) if metadata.is_file() => {
            let (bytes, modified) = (metadata.len(), metadata.modified().ok());
            Found::File(Candidate { path, member: None, source, bytes, modified, asked_for: true })
        }
        Ok(_) => Found::Skipped { source, reason: "not a regular file".to_owned() },
        Err(error) => Found::Unreadable {
            source,
            reason: format!("cannot be read: {error}"),
            advice: CHECK_PERMISSIONS.to_owned(),
        },
    }
}

/// Sources are text, and two names that differ in a byte which is none would be one.
fn misnamed(source: String) -> Found {
    let reason = "the name is not valid UTF-8".to_owned();
    Found::Unreadable { source, reason, advice: "rename the file, or the folder it lies in".to_owned() }
}

const CHECK_PERMISSIONS: &str = "check the permissions of the file and the folders above it";

/// Nothing for folders, which are walked, not ingested.
fn classify(root: &Root, entry: &DirEntry) -> Option<Found> {
    let path = entry.path();
    let source = root.source_of(path);
    let file_type = entry.file_type()?;
    if file_type.is_dir() {
        return None;
    }
    if file_type.is_symlink() {
        return Some(Found::Skipped { source, reason: about_link(root, path).to_owned() });
    }
    if !file_type.is_file() {
        return Some(Found::Skipped { source, reason: "not a regular file".to_owned() });
    }
    if root.relative(path).is_none() {
        return Some(misnamed(source));
    }
    if is_left_by_an_editor(entry.file_name()) {
        return None;
    }
    match entry.metadata() {
        Ok(metadata) => {
            let (path, bytes, modified) = (path.to_owned(), metadata.len(), metadata.modified().ok());
            Some(Found::File(Candidate { path, member: None, source, bytes, modified, asked_for: false }))
        }
        Err(error) => Some(unreadable(root, &error)),
    }
}

/// Locks of Office programs, and copies that editors make of what they change.
pub fn is_left_by_an_editor(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("~$") || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))
}

fn about_link(root: &Root, link: &Path) -> &'static str {
    match link.canonicalize() {
        Ok(target) if link.starts_with(&target) => "symbolic link that loops back to a folder above it",
        Ok(target) if target.starts_with(&root.folder) => {
            "symbolic link; links are not followed, and what it leads to is ingested where it is, unless hidden or ignored"
        }
        Ok(_) => "symbolic link that leads out of the folder; name what it leads to in order to ingest it",
        // `ErrorKind::FilesystemLoop` is not stable; a link that does not lead anywhere else loops.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "symbolic link that leads nowhere",
        Err(_) => "symbolic link that leads to itself or cannot be followed",
    }
}

fn unreadable(root: &Root, error: &ignore::Error) -> Found {
    let source = path_in(error).map_or_else(|| root.name.clone(), |path| root.source_of(path));
    let reason = match error.io_error() {
        Some(io) => format!("cannot be read: {io}"),
        None => format!("cannot be read: {error}"),
    };
    Found::Unreadable { source, reason, advice: CHECK_PERMISSIONS.to_owned() }
}

fn path_in(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_in(err),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::Partial(errors) => errors.iter().find_map(path_in),
        ignore::Error::Io(_)
        | ignore::Error::Glob { .. }
        | ignore::Error::UnrecognizedFileType(_)
        | ignore::Error::InvalidDefinition => None,
    }
}
