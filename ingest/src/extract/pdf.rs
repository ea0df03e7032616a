//! PDF: text in reading order with its headings, lists and tables as the layout shows them; running heads left out.

mod write;

use std::collections::BTreeMap;

use pdfboss_core::{Document, Error};
use pdfboss_output::{LayoutOptions, ReadingOrder, TextOptions, extract_layout_opts};

use super::{ExtractError, Extracted, Markup, title};

/// A complete file ends in its end mark, give or take what a mail server or a download tool hung on to it.
const END_MARK_WITHIN: usize = 4096;

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    // What is left of a broken download can often be read, but half a document must not pass for the whole.
    let breaks_off = breaks_off(&bytes);
    let document = Document::load(bytes).map_err(|error| why_unreadable(breaks_off, &error))?;
    if breaks_off {
        return Err(incomplete());
    }
    // The order in the file is what its producer meant; tagged files say so themselves.
    let order = ReadingOrder::StructureTree;
    let pages = extract_layout_opts(&document, order, TextOptions::default(), &LayoutOptions::default())
        .map_err(|error| why_unreadable(false, &error))?;
    let written = write::markdown(&pages);
    let title = document
        .metadata()
        .title
        .and_then(|title| title::on_one_line(&title))
        .filter(|title| title::is_meant(title))
        .or_else(|| written.headings.first().map(|heading| heading.title.clone()))
        .unwrap_or_else(|| title::from_name(name));
    let (text, headings, page_starts) = (written.text, written.headings, written.page_starts);
    Ok(Extracted { title, text, headings, page_starts, markup: Markup::Markdown, front_matter: BTreeMap::new() })
}

fn why_unreadable(breaks_off: bool, error: &Error) -> ExtractError {
    match error {
        Error::Encrypted => ExtractError::Encrypted,
        _ if breaks_off => incomplete(),
        error => ExtractError::Damaged(error.to_string()),
    }
}

fn breaks_off(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(END_MARK_WITHIN)..];
    !end.windows(5).any(|window| window == b"%%EOF")
}

fn incomplete() -> ExtractError {
    ExtractError::Damaged("the file breaks off before its end".to_owned())
}
