//! From a file to passages ready to be embedded. Blocks: runs on threads of its own.

use std::sync::Arc;

use footnote_knowledge::embedding::Tokenizer;
use sha2::{Digest, Sha256};

use super::known::KnownDocuments;
use crate::chunk::{self, ChunkSettings, Passage};
use crate::discover::Candidate;
use crate::extract::{ExtractError, Format};
use crate::report::Outcome;

/// A file is read whole, so a larger one could take the machine's memory.
const LARGEST_FILE: u64 = 512 << 20;

/// A document whose passages have no vectors yet.
pub(super) struct Prepared {
    pub(super) source: String,
    pub(super) title: String,
    pub(super) content_hash: String,
    pub(super) version: String,
    pub(super) tags: Vec<String>,
    pub(super) passages: Vec<Passage>,
    /// Whether the collection has a document of this source.
    pub(super) replaces: bool,
}

#[derive(Clone)]
pub(super) struct Preparer(Arc<Settings>);

struct Settings {
    chunks: ChunkSettings,
    tokenizer: Tokenizer,
    known: KnownDocuments,
    tags: Vec<String>,
}

impl Preparer {
    pub(super) fn new(chunks: ChunkSettings, tokenizer: Tokenizer, known: KnownDocuments, tags: &[String]) -> Self {
        let mut tags = tags.to_vec();
        tags.sort();
        tags.dedup();
        Self(Arc::new(Settings { chunks, tokenizer, known, tags }))
    }

    /// The passages of a new or changed file, or what became of it.
    pub(super) fn prepare(&self, candidate: &Candidate) -> Result<Prepared, Outcome> {
        let Settings { chunks, tokenizer, known, tags } = &*self.0;
        let bytes = read(candidate)?;
        let name = candidate.path.to_string_lossy();
        let format = Format::detect(&name, &bytes).map_err(|error| outcome(&error, candidate.asked_for))?;
        let content_hash = hex(&Sha256::digest(&bytes));
        let version = version(&content_hash, format, *chunks);

        let source = candidate.source.clone();
        let known = known.get(&source);
        let kept_tags = known.map(|known| known.tags.clone()).unwrap_or_default();
        let tags = if tags.is_empty() { kept_tags } else { tags.clone() };
        if known.is_some_and(|known| known.version == version && known.tags == tags) {
            return Err(Outcome::Unchanged);
        }

        let extracted = format.extract(&name, &bytes).map_err(|error| outcome(&error, candidate.asked_for))?;
        drop(bytes);
        let chunked = chunk::chunk(&extracted, *chunks, &|text| tokenizer.count(text));
        let replaces = known.is_some();
        Ok(Prepared { source, title: chunked.title, content_hash, version, tags, passages: chunked.chunks, replaces })
    }
}

fn read(candidate: &Candidate) -> Result<Vec<u8>, Outcome> {
    if candidate.bytes > LARGEST_FILE {
        return Err(Outcome::Failed {
            reason: format!("larger than {} MiB", LARGEST_FILE >> 20),
            advice: "divide it into smaller files".to_owned(),
        });
    }
    std::fs::read(&candidate.path).map_err(|error| Outcome::Failed {
        reason: format!("cannot be read: {error}"),
        advice: "check that it is still there, and its permissions".to_owned(),
    })
}

/// Another version means that the chunks may come out differently.
fn version(content_hash: &str, format: Format, chunks: ChunkSettings) -> String {
    let parts = [content_hash, format.extractor(), &chunks.describe()];
    // Eight bytes tell the versions of one document apart.
    hex(&Sha256::digest(parts.join("\n"))[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder holds files that are no documents, which is no failure; one that was asked for by name should be readable.
fn outcome(error: &ExtractError, asked_for: bool) -> Outcome {
    let reason = error.to_string();
    match error {
        ExtractError::Empty => Outcome::Skipped { reason },
        ExtractError::Unsupported if !asked_for => Outcome::Skipped { reason },
        ExtractError::Unsupported
        | ExtractError::Binary
        | ExtractError::Encrypted
        | ExtractError::Damaged(_)
        | ExtractError::NoText(_)
        | ExtractError::Panicked => Outcome::Failed { reason, advice: error.advice().to_owned() },
    }
}

/// What became of a file whose preparation ended in a panic.
pub(super) fn panicked() -> Outcome {
    outcome(&ExtractError::Panicked, true)
}
