//! Which files there are and when they were changed: what `--watch` compares.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

use super::archive::Member;
use super::{Candidate, Found, Root, walk_unopened};

/// By path; an archive is one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(HashMap<PathBuf, FileState>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl FileState {
    fn of(candidate: &Candidate) -> Self {
        let bytes = candidate.member.as_ref().map_or(candidate.bytes, Member::archive_bytes);
        Self { bytes, modified: candidate.modified }
    }
}

impl Snapshot {
    /// Blocks; nothing is read of any file.
    pub fn take(roots: &[Root]) -> Self {
        let mut files = HashMap::new();
        walk_unopened(roots, |found| {
            if let Found::File(candidate) = found {
                let state = FileState::of(&candidate);
                files.insert(candidate.path, state);
            }
        });
        Self(files)
    }

    /// Whether there are files below the root.
    pub fn has_any_of(&self, root: &Root) -> bool {
        let place = root.place();
        self.0.keys().any(|path| path.starts_with(&place))
    }

    /// Whether the file is as it was. One whose time is not known may have changed.
    pub(crate) fn has(&self, candidate: &Candidate) -> bool {
        candidate.modified.is_some() && self.0.get(&candidate.path) == Some(&FileState::of(candidate))
    }
}
