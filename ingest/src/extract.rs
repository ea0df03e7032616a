//! Turns the bytes of a file into text with its title, headings and pages. Pure: no file is opened here.
//!
//! What a file is, its content decides; the name only helps where the content leaves it open. Cutting the text is the
//! business of [`crate::chunk`].

mod encoding;
mod error;
mod format;
mod html;
mod markdown;
mod pdf;
mod title;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use error::ExtractError;
pub use format::Format;

/// The text of a file, and what was learnt of its structure. Positions are bytes of `text`, on character borders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    pub title: String,
    /// Not blank; lines end in `\n`.
    pub text: String,
    /// In order of `start`.
    pub headings: Vec<Heading>,
    /// Where each page begins, for formats that have pages: the first is 0.
    pub page_starts: Vec<usize>,
    pub markup: Markup,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 1 is the outermost.
    pub level: u8,
    /// Without markup, on one line.
    pub title: String,
    /// Where the heading's line begins.
    pub start: usize,
    /// Where its last line ends, before the line break: a line of `===` below it is part of it.
    pub end: usize,
}

/// How the text is written, for the chunker to know where it may cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    Plain,
    Markdown,
}

/// Reads `bytes` as whatever they are. `name` is the file's name or path; it lends the title if nothing better is found.
pub fn extract_bytes(name: &str, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    Format::detect(name, bytes)?.extract(name, bytes.to_vec())
}

impl Format {
    /// Reads `bytes` as this format. A parser that panics costs this file only.
    pub fn extract(self, name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
        let extract = move || match self {
            Self::Text => text(name, bytes),
            Self::Markdown => markdown::extract(name, bytes),
            Self::Html => html::extract(name, bytes),
            Self::Pdf => pdf::extract(name, bytes),
        };
        let extracted = catch_unwind(AssertUnwindSafe(extract)).unwrap_or(Err(ExtractError::Panicked))?;
        if extracted.text.trim().is_empty() { Err(self.without_text()) } else { Ok(extracted) }
    }

    fn without_text(self) -> ExtractError {
        match self {
            Self::Text | Self::Markdown => ExtractError::Empty,
            Self::Html => ExtractError::NoText("the page has no text of its own; it may be filled in by a script"),
            Self::Pdf => ExtractError::NoText(
                "the pages are images; add a text layer with an OCR program (for instance ocrmypdf) and ingest the result",
            ),
        }
    }
}

fn text(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    Ok(Extracted {
        title: title::from_name(name),
        text: encoding::decode(bytes, None)?,
        headings: Vec::new(),
        page_starts: Vec::new(),
        markup: Markup::Plain,
    })
}
