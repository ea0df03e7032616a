//! Cuts an extracted text into passages that fit the embedding model, along its headings. Pure.
//!
//! A section (a heading and what stands under it, up to the next heading) is never mixed with another unless it is too
//! small to be found by itself. A longer one is cut where Markdown or sentences allow.

mod section;
mod split;
mod tokens;

use std::ops::Range;

use crate::extract::Extracted;
use section::{Section, sections};
use tokens::TokenCounter;

/// Part of a document's version: another number means that texts may be cut differently.
const CHUNKER: &str = "chunker 2";

/// A title and a heading path longer than these shares of the whole are shortened: they lend a chunk its place in the
/// document, and must leave room for what it says.
const TITLE_SHARE: usize = 8;
const HEADING_SHARE: usize = 4;

/// How large chunks may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSettings {
    /// Tokens that title, heading path and chunk have together, the model's special tokens included.
    pub max_tokens: usize,
}

impl ChunkSettings {
    /// Special tokens around a sequence.
    const SPECIAL: usize = 2;
    /// Line ends between title, heading and chunk, which some tokenizers count.
    const SEPARATORS: usize = 4;
    /// Below this, the title and heading would leave no room.
    const SMALLEST: usize = 32;

    /// For a model that reads `model_tokens` at once. Larger windows than 512 are not filled: a passage is to be one
    /// thought, for its vector to mean something.
    pub fn for_model(model_tokens: usize) -> Self {
        Self { max_tokens: model_tokens.clamp(Self::SMALLEST, 512) }
    }

    /// Part of a document's version.
    pub fn describe(self) -> String {
        format!("{CHUNKER}, {} tokens", self.max_tokens)
    }
}

/// A document cut up. The chunks follow one another without gaps from the first character to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunked {
    /// Shortened if it was longer than a title may be.
    pub title: String,
    pub chunks: Vec<Passage>,
}

/// A chunk without its vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// `Intro > What it is`.
    pub heading: Option<String>,
    /// 1-based; where the passage begins.
    pub page: Option<u32>,
    /// Code points of the extracted text.
    pub start: usize,
    pub end: usize,
    /// Exactly the text from `start` to `end`.
    pub text: String,
}

/// Cuts `extracted` into passages. `count` tells the model's tokens of a text, without special ones.
pub fn chunk(extracted: &Extracted, settings: ChunkSettings, count: &dyn Fn(&str) -> usize) -> Chunked {
    let counter = TokenCounter::new(count);
    let max_tokens = settings.max_tokens.max(ChunkSettings::SMALLEST);
    let text = extracted.text.as_str();
    let title = shorten(&extracted.title, max_tokens / TITLE_SHARE, &counter);
    let around = counter.count(&title) + ChunkSettings::SPECIAL + ChunkSettings::SEPARATORS;
    let room = |section: &Section| {
        let heading = section.heading(&title).map(|path| shorten_path(&path, max_tokens / HEADING_SHARE, &counter));
        let tokens = heading.as_deref().map_or(0, |heading| counter.count(heading));
        (heading, max_tokens - around - tokens)
    };

    let mut pieces: Vec<(Range<usize>, Option<String>)> = Vec::new();
    for section in section::merge_small(sections(extracted), text, max_tokens - around, &counter) {
        let (heading, room) = room(&section);
        let ranges = split::split(text, &section, extracted.markup, room, &counter);
        pieces.extend(ranges.into_iter().map(|range| (range, heading.clone())));
    }
    Chunked { title, chunks: passages(text, &extracted.page_starts, pieces) }
}

/// Turns byte ranges, in order and without gaps, into passages with offsets in code points.
fn passages(text: &str, page_starts: &[usize], pieces: Vec<(Range<usize>, Option<String>)>) -> Vec<Passage> {
    let mut start = 0;
    pieces
        .into_iter()
        .map(|(bytes, heading)| {
            let piece = &text[bytes.clone()];
            let end = start + piece.chars().count();
            let first_letter = bytes.start + (piece.len() - piece.trim_start().len());
            let page = page_starts.partition_point(|page_start| *page_start <= first_letter);
            let page = u32::try_from(page).ok().filter(|page| *page > 0);
            let passage = Passage { heading, page, start, end, text: piece.to_owned() };
            start = end;
            passage
        })
        .collect()
}

/// The path without its outermost headings as far as needed, then the innermost one cut.
fn shorten_path(path: &[&str], max_tokens: usize, counter: &TokenCounter) -> String {
    let whole = path.join(" > ");
    if counter.count(&whole) <= max_tokens {
        return whole;
    }
    (1..path.len())
        .map(|first| format!("… > {}", path[first..].join(" > ")))
        .find(|shorter| counter.count(shorter) <= max_tokens)
        .unwrap_or_else(|| shorten(path.last().copied().unwrap_or_default(), max_tokens, counter))
}

/// As many whole words, or characters of a first word that is too long, as fit with an ellipsis after them.
fn shorten(text: &str, max_tokens: usize, counter: &TokenCounter) -> String {
    if counter.count(text) <= max_tokens {
        return text.to_owned();
    }
    let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let fits = |end: usize| counter.count(&text[..end]) + counter.count("…") <= max_tokens;
    let end = borders[borders.partition_point(|end| fits(*end)).saturating_sub(1)];
    let word_end = text[..end].rfind(char::is_whitespace).unwrap_or(end);
    format!("{}…", text[..word_end].trim_end())
}
