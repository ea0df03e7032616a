//! Which files there are and when they were changed: what `--watch` compares.

use std::collections::HashMap;
use std::time::SystemTime;

use super::{Candidate, Found, Root, walk};

/// By source. Of files in an archive, the archive's time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(HashMap<String, FileState>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl FileState {
    fn of(candidate: &Candidate) -> Self {
        Self { bytes: candidate.bytes, modified: candidate.modified }
    }
}

impl Snapshot {
    /// Blocks; of archives the list of their files is read, of other files nothing.
    pub fn take(roots: &[Root]) -> Self {
        let mut files = HashMap::new();
        walk(roots, |found| {
            if let Found::File(candidate) = &found {
                files.insert(candidate.source.clone(), FileState::of(candidate));
            }
            true
        });
        Self(files)
    }

    /// Whether there are files below the root.
    pub fn has_any_of(&self, root: &Root) -> bool {
        self.0.keys().any(|source| root.covers(source))
    }

    /// Whether the file is as it was. One whose time is not known may have changed.
    pub(crate) fn has(&self, candidate: &Candidate) -> bool {
        candidate.modified.is_some() && self.0.get(&candidate.source) == Some(&FileState::of(candidate))
    }
}
