//! What a file is.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::code::Language;
use super::{ExtractError, encoding};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Text,
    Markdown,
    Html,
    Pdf,
    /// docx, pptx, xlsx and their kin: which one, the container tells.
    OfficeOpenXml,
    /// odt, odp, ods.
    OpenDocument,
    /// The spreadsheets of Excel 97 to 2003.
    Xls,
    Csv,
    Json,
    JsonLines,
    Epub,
    Code(Language),
    /// Holds files, each of them a document.
    Zip,
}

const ZIP_MARK: &[u8] = b"PK\x03\x04";
/// Compound files: Office up to 2003, and newer files behind a password.
const COMPOUND_MARK: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// First bytes of files that people call `.txt` or leave without a name ending, and that have no zero byte early on.
const BINARY_MARKS: [&[u8]; 7] =
    [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", ZIP_MARK, COMPOUND_MARK, b"\x7fELF", b"\x1f\x8b"];

impl Format {
    /// As many bytes of a file tell what it is. Readers of PDF look for its mark so far, because some files have a header
    /// before it.
    pub const START: usize = 1024;

    /// The content decides; the name tells kinds of text apart, and text from what only looks like it. `start` is the
    /// beginning of the file, at least [`Format::START`] bytes if it has as many.
    ///
    /// A file whose name ends in something we do not know is [`ExtractError::Unsupported`] even if it is text.
    pub fn detect(name: &str, start: &[u8]) -> Result<Self, ExtractError> {
        let by_name = Self::by_name(name);
        let start = &start[..start.len().min(Self::START)];
        // A text may tell of PDF in its first lines.
        let may_have_a_header = matches!(by_name, Ok(Self::Pdf)) || ending(name).is_none();
        let mark = b"%PDF-".as_slice();
        if start.starts_with(mark) || (may_have_a_header && start.windows(mark.len()).any(|window| window == mark)) {
            return Ok(Self::Pdf);
        }
        if start.len() < Self::START && start.iter().all(u8::is_ascii_whitespace) {
            return Err(ExtractError::Empty);
        }
        if start.starts_with(ZIP_MARK) {
            return Self::of_container(by_name, start);
        }
        if start.starts_with(COMPOUND_MARK) {
            return match by_name {
                Ok(Self::Xls) => Ok(Self::Xls),
                Ok(Self::OfficeOpenXml) => Err(ExtractError::Encrypted),
                // What else is in such files: mail, drawings, projects.
                Err(error) => Err(error),
                Ok(_) => Err(ExtractError::Outdated),
            };
        }
        let by_name = by_name?;
        match by_name {
            // A program may have a page in it.
            Self::Code(_) => {}
            _ if begins_as_html(start) => return Ok(Self::Html),
            _ => {}
        }
        match by_name {
            Self::Pdf | Self::OfficeOpenXml | Self::OpenDocument | Self::Xls | Self::Epub | Self::Zip => {
                Err(ExtractError::Damaged(format!("it does not begin like {by_name}")))
            }
            _ if BINARY_MARKS.iter().any(|mark| start.starts_with(mark)) => Err(ExtractError::Binary),
            text @ (Self::Text
            | Self::Markdown
            | Self::Html
            | Self::Csv
            | Self::Json
            | Self::JsonLines
            | Self::Code(_)) => Ok(text),
        }
    }

    /// Of a zip file. Office documents tell what they are in the first of their parts.
    fn of_container(by_name: Result<Self, ExtractError>, start: &[u8]) -> Result<Self, ExtractError> {
        let begins_with = |part: &[u8]| start.windows(part.len()).any(|window| window == part);
        if begins_with(b"mimetypeapplication/vnd.oasis.opendocument") {
            return Ok(Self::OpenDocument);
        }
        if begins_with(b"mimetypeapplication/epub+zip") {
            return Ok(Self::Epub);
        }
        match by_name {
            Ok(container @ (Self::OfficeOpenXml | Self::OpenDocument | Self::Epub | Self::Zip)) => Ok(container),
            Err(error) => Err(error),
            Ok(_) if begins_with(b"[Content_Types].xml") => Ok(Self::OfficeOpenXml),
            Ok(_) => Err(ExtractError::Binary),
        }
    }

    /// Part of a document's version: another number means that its text may come out differently.
    pub fn extractor(self) -> &'static str {
        match self {
            Self::Text => "text 2",
            Self::Markdown => "markdown 3",
            Self::Html => "html 2",
            Self::Pdf => "pdf 1",
            Self::OfficeOpenXml => "office open xml 1",
            Self::OpenDocument => "opendocument 1",
            Self::Xls => "xls 1",
            Self::Csv => "csv 1",
            Self::Json | Self::JsonLines => "json 1",
            Self::Epub => "epub 1",
            Self::Code(_) => "code 1",
            Self::Zip => "zip 1",
        }
    }

    /// Larger files are refused: they are read whole, and would take the memory of a small machine. What a byte of a file
    /// becomes in memory differs: see [`Format::memory_per_byte`].
    pub fn largest_bytes(self) -> u64 {
        match self {
            Self::Text | Self::Pdf => 128 << 20,
            Self::OfficeOpenXml | Self::OpenDocument | Self::Epub => 64 << 20,
            Self::Markdown | Self::Xls | Self::Csv | Self::Json | Self::JsonLines => 32 << 20,
            Self::Html => 16 << 20,
            Self::Code(_) => 4 << 20,
            // Its files are read one at a time.
            Self::Zip => 16 << 30,
        }
    }

    /// Bytes of memory that a byte of a file takes from being read to being written, roughly: text, passages and vectors,
    /// and the trees that parsers make of it.
    pub(crate) fn memory_per_byte(self) -> usize {
        match self {
            Self::Text | Self::Zip => 4,
            Self::Markdown | Self::Pdf => 6,
            // A document in a container is packed, and much of it pictures.
            Self::Csv | Self::Code(_) | Self::OfficeOpenXml | Self::OpenDocument | Self::Epub => 10,
            Self::Html | Self::Json | Self::JsonLines | Self::Xls => 20,
        }
    }

    /// Whether reading it takes a parser, which may meet its match.
    pub(crate) fn has_parser(self) -> bool {
        !matches!(self, Self::Text)
    }

    fn by_name(name: &str) -> Result<Self, ExtractError> {
        let ending = ending(name);
        match ending.as_deref() {
            // README, LICENSE and their like; what programs are told in; languages whose syntax we do not know.
            None
            | Some(
                "txt" | "text" | "log" | "rst" | "adoc" | "asciidoc" | "org" | "tex" | "yaml" | "yml" | "toml" | "ini"
                | "cfg" | "conf" | "properties" | "sql" | "kt" | "kts" | "swift" | "scala" | "lua" | "r" | "pl" | "pm"
                | "ps1" | "vb" | "hs" | "ex" | "exs" | "erl" | "clj" | "dart" | "jl" | "zig" | "proto" | "graphql"
                | "tf",
            ) => Ok(Self::Text),
            Some("md" | "markdown" | "mdown" | "mkd" | "mdx") => Ok(Self::Markdown),
            Some("html" | "htm" | "xhtml") => Ok(Self::Html),
            Some("pdf") => Ok(Self::Pdf),
            Some(
                "docx" | "docm" | "dotx" | "dotm" | "pptx" | "pptm" | "ppsx" | "ppsm" | "potx" | "xlsx" | "xlsm"
                | "xltx" | "xltm" | "xlsb",
            ) => Ok(Self::OfficeOpenXml),
            Some("odt" | "ott" | "odp" | "otp" | "ods" | "ots") => Ok(Self::OpenDocument),
            Some("xls" | "xlt") => Ok(Self::Xls),
            Some("csv" | "tsv" | "tab") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("epub") => Ok(Self::Epub),
            Some("zip") => Ok(Self::Zip),
            Some("doc" | "dot" | "ppt" | "pps") => Err(ExtractError::Outdated),
            Some(ending) => Language::by_ending(ending).map(Self::Code).ok_or(ExtractError::Unsupported),
        }
    }
}

/// Of the file's name, in lower case.
fn ending(name: &str) -> Option<String> {
    Path::new(name).extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

/// For people.
impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text => "plain text",
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Pdf => "a PDF",
            Self::OfficeOpenXml => "an Office document",
            Self::OpenDocument => "an OpenDocument file",
            Self::Xls => "an Excel workbook",
            Self::Csv => "a table in CSV",
            Self::Json => "JSON",
            Self::JsonLines => "JSON lines",
            Self::Epub => "an EPUB book",
            Self::Code(_) => "source code",
            Self::Zip => "a zip archive",
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
