//! What a file is.

use std::fmt;
use std::path::Path;

use super::{ExtractError, encoding};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Markdown,
    Html,
    Pdf,
}

/// First bytes of files that people call `.txt` or leave without a name ending, and that have no zero byte early on.
const BINARY_MARKS: [&[u8]; 6] = [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x7fELF", b"\x1f\x8b"];

impl Format {
    /// As many bytes of a file tell what it is. Readers of PDF look for its mark so far, because some files have a header
    /// before it.
    pub const START: usize = 1024;

    /// The content decides; the name tells Markdown from plain text, and text from what only looks like it. `start` is the
    /// beginning of the file, at least [`Format::START`] bytes if it has as many.
    ///
    /// A file whose name ends in something we do not know is [`ExtractError::Unsupported`] even if it is text: a folder
    /// of source code is not a folder of documents.
    pub fn detect(name: &str, start: &[u8]) -> Result<Self, ExtractError> {
        let by_name = Self::by_name(name);
        let start = &start[..start.len().min(Self::START)];
        // A text may tell of PDF in its first lines.
        let may_have_a_header = matches!(by_name, Ok(Self::Pdf)) || Path::new(name).extension().is_none();
        let mark = b"%PDF-".as_slice();
        if start.starts_with(mark) || (may_have_a_header && start.windows(mark.len()).any(|window| window == mark)) {
            return Ok(Self::Pdf);
        }
        if start.len() < Self::START && start.iter().all(u8::is_ascii_whitespace) {
            return Err(ExtractError::Empty);
        }
        if begins_as_html(start) {
            return Ok(Self::Html);
        }
        match by_name? {
            Self::Pdf => Err(ExtractError::Damaged("it does not begin like a PDF".to_owned())),
            _ if BINARY_MARKS.iter().any(|mark| start.starts_with(mark)) => Err(ExtractError::Binary),
            text @ (Self::Text | Self::Markdown | Self::Html) => Ok(text),
        }
    }

    /// Part of a document's version: another number means that its text may come out differently.
    pub fn extractor(self) -> &'static str {
        match self {
            Self::Text => "text 2",
            Self::Markdown => "markdown 2",
            Self::Html => "html 2",
            Self::Pdf => "pdf 1",
        }
    }

    /// Larger files are refused: they are read whole, and would take the memory of a small machine. What a byte of a file
    /// becomes in memory differs: see [`Format::memory_per_byte`].
    pub fn largest_bytes(self) -> u64 {
        match self {
            Self::Text | Self::Pdf => 128 << 20,
            Self::Markdown => 32 << 20,
            Self::Html => 16 << 20,
        }
    }

    /// Bytes of memory that a byte of a file takes from being read to being written, roughly: text, passages and vectors,
    /// and the trees that parsers make of it.
    pub(crate) fn memory_per_byte(self) -> usize {
        match self {
            Self::Text => 4,
            Self::Markdown | Self::Pdf => 6,
            Self::Html => 20,
        }
    }

    fn by_name(name: &str) -> Result<Self, ExtractError> {
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            // README, LICENSE and their like.
            None | Some("txt" | "text" | "log" | "rst" | "adoc" | "asciidoc" | "org") => Ok(Self::Text),
            Some("md" | "markdown" | "mdown" | "mkd" | "mdx") => Ok(Self::Markdown),
            Some("html" | "htm" | "xhtml") => Ok(Self::Html),
            Some("pdf") => Ok(Self::Pdf),
            Some(_) => Err(ExtractError::Unsupported),
        }
    }
}

/// For people.
impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text => "plain text",
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Pdf => "PDF",
        })
    }
}

/// Whether the first thing after spaces, comments and an XML declaration is a doctype or an `html` element.
fn begins_as_html(start: &[u8]) -> bool {
    let start = encoding::lossy_ascii(start).to_ascii_lowercase();
    let mut rest = start.trim_start_matches(|character: char| character.is_whitespace() || character == '\u{fffd}');
    while let Some((skipped, end)) = [("<?xml", "?>"), ("<!--", "-->")].iter().find(|(open, _)| rest.starts_with(open))
    {
        match rest[skipped.len()..].split_once(end) {
            Some((_, after)) => rest = after.trim_start(),
            None => return false,
        }
    }
    rest.starts_with("<!doctype html") || rest.starts_with("<html")
}
