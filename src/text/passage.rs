//! The parts of a passage that can be quoted: sentences, list items, table rows; and what they look like without their
//! Markdown marks.
//!
//! A passage is a piece of a document and may begin inside a list, a table or a code block, so its blocks are told
//! apart line by line and not by parsing it as a document of its own.

mod blocks;
mod shown;

use std::ops::Range;

use super::sentences::sentence_spans;
use blocks::{BlockKind, blocks};
pub use shown::shown;

/// A part of a passage that says something by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub kind: UnitKind,
    /// Bytes of the passage, marks included.
    pub span: Range<usize>,
    /// Which block of the passage it stands in: units of one paragraph or list item have the same.
    pub block: usize,
    /// The nearest heading above it in the passage, without its marks.
    pub heading: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    Sentence,
    /// A sentence of a list item.
    ListItem,
    /// One row, without the header and the line under it.
    TableRow,
    Code,
}

/// The units of a passage, in order. Headings are not units, they are what units stand under.
pub fn units(passage: &str) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut heading: Option<String> = None;
    for (index, block) in blocks(passage).into_iter().enumerate() {
        let text = &passage[block.span.clone()];
        let mut push = |kind, span| units.push(Unit { kind, span, block: index, heading: heading.clone() });
        match block.kind {
            BlockKind::Heading => heading = Some(shown(text)).filter(|heading| !heading.is_empty()),
            BlockKind::TableHeader => {}
            BlockKind::TableRow => push(UnitKind::TableRow, block.span),
            BlockKind::Code => push(UnitKind::Code, block.span),
            BlockKind::Paragraph => sentences(text, block.span.start, |span| push(UnitKind::Sentence, span)),
            BlockKind::ListItem => sentences(text, block.span.start, |span| push(UnitKind::ListItem, span)),
        }
    }
    units
}

/// The sentences of a block. One of at most two words ("Note.", "**Recall.**") is the beginning of the next.
fn sentences(block: &str, offset: usize, mut push: impl FnMut(Range<usize>)) {
    let mut begun: Option<usize> = None;
    let spans = sentence_spans(block);
    let last = spans.len().saturating_sub(1);
    for (index, span) in spans.into_iter().enumerate() {
        let start = begun.take().unwrap_or(span.start);
        if index < last && super::words::lower_words(&block[start..span.end]).len() <= 2 {
            begun = Some(start);
        } else {
            push(offset + start..offset + span.end);
        }
    }
}

#[cfg(test)]
mod tests;
