//! Turns the bytes of a file into text with its title, headings and pages. Pure: no file is opened here.
//!
//! What a file is, its content decides; the name only helps where the content leaves it open. Cutting the text is the
//! business of [`crate::chunk`].

mod blocks;
mod chart;
mod code;
mod csv;
mod docx;
mod encoding;
mod epub;
mod error;
mod format;
mod html;
mod json;
mod markdown;
mod office;
mod opendocument;
mod package;
mod pdf;
mod pptx;
mod sheet;
mod title;
mod xml;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use code::Language;
pub use error::ExtractError;
pub use format::Format;
use serde::{Deserialize, Serialize};

/// The text of a file, and what was learnt of its structure. Positions are bytes of `text`, on character borders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extracted {
    pub title: String,
    /// Not blank; lines end in `\n`.
    pub text: String,
    /// In order of `start`.
    pub headings: Vec<Heading>,
    /// Where each page begins, for formats that have pages: the first is 0.
    pub page_starts: Vec<usize>,
    pub markup: Markup,
    /// What the file says of itself in its front matter.
    pub front_matter: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Markup {
    Plain,
    Markdown,
    Code(Language),
}

/// What to take of a file, where there is a choice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExtractOptions {
    /// Dotted names of the fields of JSON records; all if there are none.
    pub json_fields: Vec<String>,
}

/// Reads `bytes` as whatever they are. `name` is the file's name or path; it lends the title if nothing better is found.
pub fn extract_bytes(name: &str, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    Format::detect(name, bytes)?.extract(name, bytes.to_vec(), &ExtractOptions::default())
}

impl Format {
    /// Reads `bytes` as this format. A parser that panics costs this file only.
    pub fn extract(self, name: &str, bytes: Vec<u8>, options: &ExtractOptions) -> Result<Extracted, ExtractError> {
        let extract = move || match self {
            Self::Text => text(name, bytes),
            Self::Markdown => markdown::extract(name, bytes),
            Self::Html => html::extract(name, bytes),
            Self::Pdf => pdf::extract(name, bytes),
            Self::OfficeOpenXml => office::extract(name, bytes),
            Self::OpenDocument => opendocument::extract(name, bytes),
            Self::Xls => sheet::extract(name, bytes),
            Self::Csv => csv::extract(name, bytes),
            Self::Json => json::extract(name, bytes, options),
            Self::JsonLines => json::extract_lines(name, bytes, options),
            Self::Epub => epub::extract(name, bytes),
            Self::Code(language) => code::extract(name, bytes, language),
            Self::Zip => Err(ExtractError::NestedArchive),
        };
        let extracted = catch_unwind(AssertUnwindSafe(extract)).unwrap_or(Err(ExtractError::Panicked))?;
        if extracted.text.trim().is_empty() { Err(self.without_text()) } else { Ok(extracted) }
    }

    fn without_text(self) -> ExtractError {
        match self {
            Self::Text | Self::Markdown | Self::Csv | Self::Json | Self::JsonLines | Self::Code(_) => {
                ExtractError::Empty
            }
            Self::Html => no_text("the page has no text of its own; it may be filled in by a script"),
            Self::Pdf => no_text(
                "the pages are images; add a text layer with an OCR program (for instance ocrmypdf) and ingest the result",
            ),
            Self::OfficeOpenXml | Self::OpenDocument | Self::Xls | Self::Epub | Self::Zip => {
                no_text("it may hold pictures only; nothing to do, unless it should hold text")
            }
        }
    }
}

fn no_text(advice: &'static str) -> ExtractError {
    ExtractError::NoText(advice.into())
}

fn text(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    Ok(Extracted {
        title: title::from_name(name),
        text: encoding::decode(bytes, None)?,
        headings: Vec::new(),
        page_starts: Vec::new(),
        markup: Markup::Plain,
        front_matter: BTreeMap::new(),
    })
}
