//! What a file is.

use std::path::Path;

use super::{ExtractError, encoding};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Markdown,
    Html,
    Pdf,
}

/// Readers of PDF look for the mark in the first 1024 bytes, because some files have a header before it.
const MARK_WITHIN: usize = 1024;

/// First bytes of files that people call `.txt` or leave without a name ending, and that have no zero byte early on.
const BINARY_MARKS: [&[u8]; 6] = [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x7fELF", b"\x1f\x8b"];

impl Format {
    /// The content decides; the name tells Markdown from plain text, and text from what only looks like it.
    ///
    /// A file whose name ends in something we do not know is [`ExtractError::Unsupported`] even if it is text: a folder
    /// of source code is not a folder of documents.
    pub fn detect(name: &str, bytes: &[u8]) -> Result<Self, ExtractError> {
        let by_name = Self::by_name(name);
        let start = &bytes[..bytes.len().min(MARK_WITHIN)];
        if start.windows(5).any(|window| window == b"%PDF-") {
            return Ok(Self::Pdf);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ExtractError::Empty);
        }
        if begins_as_html(start) {
            return Ok(Self::Html);
        }
        match by_name? {
            Self::Pdf => Err(ExtractError::Damaged("it does not begin like a PDF".to_owned())),
            _ if BINARY_MARKS.iter().any(|mark| bytes.starts_with(mark)) => Err(ExtractError::Binary),
            text @ (Self::Text | Self::Markdown | Self::Html) => Ok(text),
        }
    }

    /// Part of a document's version: another number means that its text may come out differently.
    pub fn extractor(self) -> &'static str {
        match self {
            Self::Text => "text 1",
            Self::Markdown => "markdown 1",
            Self::Html => "html 1",
            Self::Pdf => "pdf 1",
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
