//! From a file to passages ready to be embedded: opened, read and compared with what the collection holds, extracted (in
//! a process of its own), cut up. What blocks runs on threads of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use footnote_knowledge::collection::Metadata;
use footnote_knowledge::embedding::Tokenizer;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::IngestOptions;
use super::known::{Known, KnownDocuments};
use crate::chunk::{self, ChunkSettings, Passage};
use crate::discover::{Candidate, Member};
use crate::extract::{ExtractError, ExtractOptions, Extracted, Format};
use crate::extractor::Extractor;
use crate::report::Outcome;
use crate::tag::parse_tag;

/// A file that is worth reading: what it is, its first bytes have told.
pub(crate) struct Opened {
    file: NamedFile,
    format: Format,
    content: Content,
    bytes: u64,
    /// That it may have.
    most: u64,
}

/// What the outcome of a file depends on beside its content.
#[derive(Clone)]
pub(crate) struct NamedFile {
    pub(crate) source: String,
    asked_for: bool,
    pub(crate) modified: Option<SystemTime>,
}

enum Content {
    File { file: File, start: Vec<u8> },
    Member(Member),
}

/// A new or changed file, with its content.
pub(crate) struct Changed {
    file: NamedFile,
    pub(super) format: Format,
    pub(crate) bytes: Vec<u8>,
    content_hash: String,
    version: String,
    tags: Vec<String>,
    replaces: bool,
}

/// A document whose passages have no vectors yet.
pub(super) struct Prepared {
    pub(super) source: String,
    pub(super) title: String,
    pub(super) content_hash: String,
    pub(super) version: String,
    pub(super) tags: Vec<String>,
    pub(super) metadata: Metadata,
    pub(super) passages: Vec<Passage>,
    /// Whether the collection has a document of this source.
    pub(super) replaces: bool,
}

/// Finds out which files are new or changed; cheap to clone.
#[derive(Clone)]
pub(crate) struct Reader(Arc<Settings>);

struct Settings {
    /// Not known of a server elsewhere.
    chunks: Option<ChunkSettings>,
    known: Arc<KnownDocuments>,
    tags: Vec<String>,
    extract: ExtractOptions,
}

/// Cuts what was extracted into passages; cheap to clone.
#[derive(Clone)]
pub(super) struct Cutter {
    chunks: ChunkSettings,
    tokenizer: Tokenizer,
}

/// Opens a file and looks at its beginning, or tells what became of it. Films and archives are recognised by that, and
/// read no further.
pub(crate) fn open(candidate: Candidate, extractor: &Extractor) -> Result<Opened, Outcome> {
    let Candidate { path, member, source, asked_for, bytes, modified } = candidate;
    let file = NamedFile { source, asked_for, modified };
    let (content, start, bytes) = match member {
        Some(member) => {
            let start = member.read(Format::START as u64).map_err(unreadable_in_archive)?;
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
    let most = extractor.largest_bytes(format);
    if bytes > most { Err(too_large(format, most)) } else { Ok(Opened { file, format, content, bytes, most }) }
}

impl Opened {
    /// Bytes of memory that it is expected to take until its document is written.
    pub(super) fn memory(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_mul(self.format.memory_per_byte())
    }

    pub(crate) fn read(self) -> Result<(NamedFile, Format, Vec<u8>), Outcome> {
        let Self { file, format, content, bytes: expected, most } = self;
        // It may be growing while it is read.
        let beyond = most.saturating_add(1);
        let bytes = match content {
            Content::Member(member) => member.read(beyond).map_err(unreadable_in_archive)?,
            Content::File { file, start: mut bytes } => {
                bytes.reserve(usize::try_from(expected).unwrap_or_default().saturating_sub(bytes.len()));
                file.take(beyond.saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes).map_err(unreadable)?;
                bytes
            }
        };
        if bytes.len() as u64 > most { Err(too_large(format, most)) } else { Ok((file, format, bytes)) }
    }
}

impl Reader {
    pub(crate) fn new(chunks: Option<ChunkSettings>, known: Arc<KnownDocuments>, options: &IngestOptions) -> Self {
        let mut tags = options.tags.clone();
        tags.sort();
        tags.dedup();
        Self(Arc::new(Settings { chunks, known, tags, extract: options.extract.clone() }))
    }

    /// What is new or changed of the file, or what became of it.
    pub(crate) fn read(&self, opened: Opened) -> Result<Changed, Outcome> {
        let Settings { chunks, known, tags, extract } = &*self.0;
        let (file, format, bytes) = opened.read()?;
        let content_hash = hex(&Sha256::digest(&bytes));
        let version = chunks.map(|chunks| version(&content_hash, format, extract, chunks)).unwrap_or_default();

        let known = known.get(&file.source);
        let is_kept = |tag: &&String| tags.is_empty() && known.is_some_and(|known| !known.file_tags.contains(*tag));
        let kept_tags = known.iter().flat_map(|known| &known.tags).filter(is_kept);
        let tags: Vec<String> = tags.iter().chain(kept_tags).cloned().collect();
        let is_same = |known: &Known| match chunks {
            Some(_) => known.version == version,
            None => known.content_hash == content_hash,
        };
        if known.is_some_and(|known| is_same(known) && known.tags == with_tags(tags.clone(), &known.file_tags)) {
            return Err(Outcome::Unchanged);
        }
        let replaces = known.is_some();
        Ok(Changed { file, format, bytes, content_hash, version, tags, replaces })
    }
}

impl Cutter {
    pub(super) fn new(chunks: ChunkSettings, tokenizer: Tokenizer) -> Self {
        Self { chunks, tokenizer }
    }

    /// The passages of what was extracted of the file, or what became of it.
    pub(super) fn cut(
        &self,
        changed: Changed,
        extracted: Result<Extracted, ExtractError>,
    ) -> Result<Prepared, Outcome> {
        let Changed { file, content_hash, version, tags, replaces, .. } = changed;
        let extracted = extracted.map_err(|error| file.outcome(&error))?;
        let chunked = chunk::chunk(&extracted, self.chunks, &|text| self.tokenizer.count(text));
        let tags = with_tags(tags, &file_tags(&extracted.front_matter));
        let metadata = metadata(extracted.front_matter, file.modified);
        let (source, title, passages) = (file.source, chunked.title, chunked.chunks);
        Ok(Prepared { source, title, content_hash, version, tags, metadata, passages, replaces })
    }
}

impl Changed {
    pub(crate) fn source(&self) -> &str {
        &self.file.source
    }

    /// The name that its source begins with.
    pub(crate) fn root(&self) -> &str {
        self.source().split_once('/').map_or("", |(root, _)| root)
    }

    pub(crate) fn below_root(&self) -> &str {
        self.source().split_once('/').map_or(self.source(), |(_, below)| below)
    }

    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.file.modified
    }

    pub(crate) fn tags(&self) -> &[String] {
        &self.tags
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

/// Sorted, each once.
fn with_tags(mut tags: Vec<String>, more: &[String]) -> Vec<String> {
    tags.extend_from_slice(more);
    tags.sort();
    tags.dedup();
    tags
}

/// The tags that a file has by itself: a list, or words divided by commas.
pub(super) fn file_tags(metadata: &Metadata) -> Vec<String> {
    let texts: Vec<&str> = match metadata.get("tags") {
        Some(Value::String(tags)) => tags.split(',').collect(),
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    };
    texts.into_iter().filter_map(|tag| parse_tag(tag).ok()).collect()
}

/// What the file says of itself, and when it was changed.
fn metadata(front_matter: Metadata, modified: Option<SystemTime>) -> Metadata {
    let mut metadata = front_matter;
    if let Some(time) = modified.and_then(|time| Timestamp::try_from(time).ok()) {
        // As precisely as both engines compare times.
        let time = Timestamp::from_second(time.as_second()).unwrap_or(time);
        metadata.insert("modified_at".to_owned(), Value::String(time.to_string()));
    }
    metadata
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

fn unreadable_in_archive(error: io::Error) -> Outcome {
    Outcome::Failed {
        reason: format!("cannot be unpacked: {error}"),
        advice: "open the archive to check it, and pack it again with the usual method (deflate) and no password"
            .to_owned(),
    }
}

fn too_large(format: Format, most: u64) -> Outcome {
    Outcome::Failed {
        reason: format!("larger than {} MiB, the most for {format}", most >> 20),
        advice: "divide it into smaller files, or raise --max-file-size".to_owned(),
    }
}

/// What became of a file whose preparation ended in a panic.
pub(super) fn panicked() -> Outcome {
    let error = ExtractError::Panicked;
    Outcome::Failed { reason: error.to_string(), advice: error.advice().to_owned() }
}
