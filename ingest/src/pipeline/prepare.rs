//! From a file to passages ready to be embedded: opened, read and compared with what the collection holds, extracted (in
//! a process of its own), cut up. What blocks runs on threads of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use footnote_knowledge::embedding::Tokenizer;
use sha2::{Digest, Sha256};

use super::IngestOptions;
use super::known::KnownDocuments;
use crate::chunk::{self, ChunkSettings, Passage};
use crate::discover::{Candidate, Member};
use crate::extract::{ExtractError, ExtractOptions, Extracted, Format};
use crate::report::Outcome;

/// A file that is worth reading: what it is, its first bytes have told.
pub(crate) struct Opened {
    file: NamedFile,
    format: Format,
    content: Content,
    bytes: u64,
}

/// What the outcome of a file depends on beside its content.
#[derive(Clone)]
pub(crate) struct NamedFile {
    pub(crate) source: String,
    asked_for: bool,
}

enum Content {
    File { file: File, start: Vec<u8> },
    Member(Member),
}

/// A new or changed file, with its content.
pub(super) struct Changed {
    file: NamedFile,
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
    content_hash: String,
    version: String,
    tags: Vec<String>,
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
    known: Arc<KnownDocuments>,
    tags: Vec<String>,
    extract: ExtractOptions,
}

/// Opens a file and looks at its beginning, or tells what became of it. Films and archives are recognised by that, and
/// read no further.
pub(crate) fn open(candidate: Candidate) -> Result<Opened, Outcome> {
    let Candidate { path, member, source, asked_for, bytes } = candidate;
    let file = NamedFile { source, asked_for };
    let (content, start, bytes) = match member {
        Some(member) => {
            let start = member.read(Format::START as u64).map_err(unreadable)?;
            (Content::Member(member), start, bytes)
        }
        None => {
            let mut opened = File::open(&path).map_err(unreadable)?;
            let mut start = Vec::with_capacity(Format::START);
            (&mut opened).take(Format::START as u64).read_to_end(&mut start).map_err(unreadable)?;
            let bytes = opened.metadata().map_err(unreadable)?.len();
            (Content::File { file: opened, start: start.clone() }, start, bytes)
        }
    };
    let format = Format::detect(&file.source, &start).map_err(|error| file.outcome(&error))?;
    if bytes > format.largest_bytes() {
        return Err(too_large(format));
    }
    Ok(Opened { file, format, content, bytes })
}

impl Opened {
    /// Bytes of memory that it is expected to take until its document is written.
    pub(super) fn memory(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_mul(self.format.memory_per_byte())
    }

    pub(crate) fn read(self) -> Result<(NamedFile, Format, Vec<u8>), Outcome> {
        let Self { file, format, content, bytes: expected } = self;
        // It may be growing while it is read.
        let most = format.largest_bytes() + 1;
        let bytes = match content {
            Content::Member(member) => member.read(most).map_err(unreadable)?,
            Content::File { file, start: mut bytes } => {
                bytes.reserve(usize::try_from(expected).unwrap_or_default().saturating_sub(bytes.len()));
                file.take(most.saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes).map_err(unreadable)?;
                bytes
            }
        };
        if bytes.len() as u64 >= most { Err(too_large(format)) } else { Ok((file, format, bytes)) }
    }
}

impl Preparer {
    pub(super) fn new(
        chunks: ChunkSettings,
        tokenizer: Tokenizer,
        known: Arc<KnownDocuments>,
        options: &IngestOptions,
    ) -> Self {
        let mut tags = options.tags.clone();
        tags.sort();
        tags.dedup();
        Self(Arc::new(Settings { chunks, tokenizer, known, tags, extract: options.extract.clone() }))
    }

    /// What is new or changed of the file, or what became of it.
    pub(super) fn read(&self, opened: Opened) -> Result<Changed, Outcome> {
        let Settings { chunks, known, tags, extract, .. } = &*self.0;
        let (file, format, bytes) = opened.read()?;
        let content_hash = hex(&Sha256::digest(&bytes));
        let version = version(&content_hash, format, extract, *chunks);

        let known = known.get(&file.source);
        let kept_tags = known.map(|known| known.tags.clone()).unwrap_or_default();
        let tags = if tags.is_empty() { kept_tags } else { tags.clone() };
        if known.is_some_and(|known| known.version == version && known.tags == tags) {
            return Err(Outcome::Unchanged);
        }
        Ok(Changed { file, format, bytes, content_hash, version, tags })
    }

    /// The passages of what was extracted of the file, or what became of it.
    pub(super) fn cut(
        &self,
        changed: Changed,
        extracted: Result<Extracted, ExtractError>,
    ) -> Result<Prepared, Outcome> {
        let Settings { chunks, tokenizer, known, .. } = &*self.0;
        let Changed { file, content_hash, version, tags, .. } = changed;
        let extracted = extracted.map_err(|error| file.outcome(&error))?;
        let chunked = chunk::chunk(&extracted, *chunks, &|text| tokenizer.count(text));
        let source = file.source;
        let replaces = known.get(&source).is_some();
        Ok(Prepared { source, title: chunked.title, content_hash, version, tags, passages: chunked.chunks, replaces })
    }
}

impl Changed {
    pub(super) fn source(&self) -> &str {
        &self.file.source
    }
}

impl NamedFile {
    /// A folder holds files that are no documents, which is no failure; one that was asked for by name should be readable.
    pub(crate) fn outcome(&self, error: &ExtractError) -> Outcome {
        let reason = error.to_string();
        // Programs have no name ending, as README has none.
        let passes_for_text = Path::new(&self.source).extension().is_some();
        match error {
            ExtractError::Empty => Outcome::Skipped { reason },
            ExtractError::Unsupported if !self.asked_for => Outcome::Skipped { reason },
            ExtractError::Binary if !self.asked_for && !passes_for_text => Outcome::Skipped { reason },
            ExtractError::Unsupported
            | ExtractError::Outdated
            | ExtractError::Binary
            | ExtractError::Encrypted
            | ExtractError::Damaged(_)
            | ExtractError::TooMuch
            | ExtractError::NestedArchive
            | ExtractError::NoText(_)
            | ExtractError::Panicked
            | ExtractError::Crashed
            | ExtractError::TimedOut(_)
            | ExtractError::NoProcess(_) => Outcome::Failed { reason, advice: error.advice().to_owned() },
        }
    }
}

/// Another version means that the chunks may come out differently.
fn version(content_hash: &str, format: Format, extract: &ExtractOptions, chunks: ChunkSettings) -> String {
    let fields = match format {
        Format::Json | Format::JsonLines => extract.json_fields.join("\n"),
        _ => String::new(),
    };
    let settings = chunks.describe();
    let mut parts = vec![content_hash, format.extractor(), &settings];
    if !fields.is_empty() {
        parts.push(&fields);
    }
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

/// What became of a file whose preparation ended in a panic.
pub(super) fn panicked() -> Outcome {
    let error = ExtractError::Panicked;
    Outcome::Failed { reason: error.to_string(), advice: error.advice().to_owned() }
}
