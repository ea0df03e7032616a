//! From a file to passages ready to be embedded. Blocks: runs on threads of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use footnote_knowledge::embedding::Tokenizer;
use sha2::{Digest, Sha256};

use super::known::KnownDocuments;
use crate::chunk::{self, ChunkSettings, Passage};
use crate::discover::Candidate;
use crate::extract::{ExtractError, Format};
use crate::report::Outcome;

/// A file that is worth reading: what it is, its first bytes have told.
pub(super) struct Opened {
    source: String,
    asked_for: bool,
    format: Format,
    file: File,
    start: Vec<u8>,
    bytes: u64,
}

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

/// Opens a file and looks at its beginning, or tells what became of it. Films and archives are recognised by that, and
/// read no further.
pub(super) fn open(candidate: Candidate) -> Result<Opened, Outcome> {
    let Candidate { path, source, asked_for, .. } = candidate;
    let mut file = File::open(&path).map_err(unreadable)?;
    let mut start = Vec::with_capacity(Format::START);
    (&mut file).take(Format::START as u64).read_to_end(&mut start).map_err(unreadable)?;
    let format = Format::detect(&source, &start).map_err(|error| outcome(&error, &source, asked_for))?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > format.largest_bytes() {
        return Err(too_large(format));
    }
    Ok(Opened { source, asked_for, format, file, start, bytes })
}

impl Opened {
    /// Bytes of memory that it is expected to take until its document is written.
    pub(super) fn memory(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_mul(self.format.memory_per_byte())
    }

    fn read(&mut self) -> Result<Vec<u8>, Outcome> {
        let largest = self.format.largest_bytes();
        let mut bytes = std::mem::take(&mut self.start);
        bytes.reserve(usize::try_from(self.bytes).unwrap_or_default().saturating_sub(bytes.len()));
        // It may be growing while it is read.
        let left = (largest + 1).saturating_sub(bytes.len() as u64);
        (&mut self.file).take(left).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > largest { Err(too_large(self.format)) } else { Ok(bytes) }
    }
}

impl Preparer {
    pub(super) fn new(chunks: ChunkSettings, tokenizer: Tokenizer, known: KnownDocuments, tags: &[String]) -> Self {
        let mut tags = tags.to_vec();
        tags.sort();
        tags.dedup();
        Self(Arc::new(Settings { chunks, tokenizer, known, tags }))
    }

    /// The passages of a new or changed file, or what became of it.
    pub(super) fn prepare(&self, mut opened: Opened) -> Result<Prepared, Outcome> {
        let Settings { chunks, tokenizer, known, tags } = &*self.0;
        let bytes = opened.read()?;
        let Opened { source, asked_for, format, .. } = opened;
        let content_hash = hex(&Sha256::digest(&bytes));
        let version = version(&content_hash, format, *chunks);

        let known = known.get(&source);
        let kept_tags = known.map(|known| known.tags.clone()).unwrap_or_default();
        let tags = if tags.is_empty() { kept_tags } else { tags.clone() };
        if known.is_some_and(|known| known.version == version && known.tags == tags) {
            return Err(Outcome::Unchanged);
        }

        let extracted = format.extract(&source, bytes).map_err(|error| outcome(&error, &source, asked_for))?;
        let chunked = chunk::chunk(&extracted, *chunks, &|text| tokenizer.count(text));
        let replaces = known.is_some();
        Ok(Prepared { source, title: chunked.title, content_hash, version, tags, passages: chunked.chunks, replaces })
    }
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

fn unreadable(error: io::Error) -> Outcome {
    Outcome::Failed {
        reason: format!("cannot be read: {error}"),
        advice: "check that it is still there, and its permissions".to_owned(),
    }
}

fn too_large(format: Format) -> Outcome {
    Outcome::Failed {
        reason: format!("larger than {} MiB, the most for {format}", format.largest_bytes() >> 20),
        advice: "divide it into smaller files".to_owned(),
    }
}

/// A folder holds files that are no documents, which is no failure; one that was asked for by name should be readable.
fn outcome(error: &ExtractError, source: &str, asked_for: bool) -> Outcome {
    let reason = error.to_string();
    // Programs have no name ending, as README has none.
    let passes_for_text = Path::new(source).extension().is_some();
    match error {
        ExtractError::Empty => Outcome::Skipped { reason },
        ExtractError::Unsupported if !asked_for => Outcome::Skipped { reason },
        ExtractError::Binary if !asked_for && !passes_for_text => Outcome::Skipped { reason },
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
    let error = ExtractError::Panicked;
    Outcome::Failed { reason: error.to_string(), advice: error.advice().to_owned() }
}
