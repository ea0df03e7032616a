//! What a run is told beside its paths.

use std::path::PathBuf;
use std::time::Duration;

use crate::discover::{Candidate, Snapshot};
use crate::extract::ExtractOptions;
use crate::extractor::Extractor;

#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// First part of every source, in place of the folder's name. Given, it also says that a folder seen for the first
    /// time under this name is the one that its documents came from.
    pub root_name: Option<String>,
    pub origin: Origin,
    /// Given, they replace the tags that the documents have; without, those stay.
    pub tags: Vec<String>,
    /// How long a vector store or an embedding endpoint that is away is waited for.
    pub longest_outage: Duration,
    /// What becomes of documents whose files are no longer there.
    pub gone: GoneDocuments,
    /// Files that are as they were then are taken for unchanged without being read.
    pub unchanged_since: Option<Snapshot>,
    /// Everything up to embedding is done, and nothing is written.
    pub dry_run: bool,
    pub extract: ExtractOptions,
    /// Where files are parsed.
    pub extractor: Extractor,
}

impl IngestOptions {
    /// Restarts take half a minute at most. What is away for longer needs a person, who should be told.
    pub const LONGEST_OUTAGE: Duration = Duration::from_secs(60);

    pub(crate) fn is_unchanged(&self, candidate: &Candidate) -> bool {
        self.unchanged_since.as_ref().is_some_and(|snapshot| snapshot.has(candidate))
    }
}

/// Where the files come from. The collection remembers which folder a root's name was used for, and refuses another one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// From the folders that they are in, which are looked at whole.
    #[default]
    Folders,
    /// They were sent here, and are only some of those called after the root.
    Sent {
        /// The folder that they were sent from, where that is known.
        from: Option<PathBuf>,
        /// It is on this machine.
        here: bool,
        /// The sender says that documents of this name came from there, too.
        same_folder: bool,
    },
}

/// Documents below the given paths whose files are no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GoneDocuments {
    /// They stay, and are counted.
    #[default]
    Stay,
    /// They are removed, unless they are more than one in five: then the folder is rather one that is not mounted, and
    /// the run ends in [`crate::Error::TooManyGone`].
    Remove,
    RemoveHoweverMany,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            root_name: None,
            origin: Origin::Folders,
            tags: Vec::new(),
            longest_outage: Self::LONGEST_OUTAGE,
            gone: GoneDocuments::Stay,
            unchanged_since: None,
            dry_run: false,
            extract: ExtractOptions::default(),
            extractor: Extractor::in_this_process(),
        }
    }
}
