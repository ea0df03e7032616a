//! The sections of a text, and which of them are too small to stand alone.

use std::ops::Range;

use super::tokens::TokenCounter;
use crate::extract::{Extracted, Heading};

/// A section smaller than this share of a chunk joins its neighbour: a dozen words under a heading are hardly found by
/// themselves, and tell little when they are.
const SMALL_SHARE: usize = 8;

#[derive(Debug)]
pub(super) struct Section<'a> {
    /// Bytes of the text.
    pub(super) range: Range<usize>,
    /// Where its headings end and what they are about begins.
    pub(super) body: usize,
    /// From the outermost heading to the section's own; none before the first heading.
    path: Vec<&'a Heading>,
}

impl<'a> Section<'a> {
    /// The titles of the path, without a first one that only repeats the document's title.
    pub(super) fn heading(&self, title: &str) -> Option<Vec<&'a str>> {
        let titles = self.path.iter().map(|heading| heading.title.as_str());
        let path: Vec<_> = match self.path.first() {
            Some(first) if first.title == title => titles.skip(1).collect(),
            Some(_) | None => titles.collect(),
        };
        (!path.is_empty()).then_some(path)
    }
}

/// The sections of the text, in order and without gaps.
pub(super) fn sections(extracted: &Extracted) -> Vec<Section<'_>> {
    let mut sections = vec![Section { range: 0..extracted.text.len(), body: 0, path: Vec::new() }];
    let mut path: Vec<&Heading> = Vec::new();
    for heading in &extracted.headings {
        if let Some(before) = sections.last_mut() {
            before.range.end = heading.start;
        }
        path.retain(|outer| outer.level < heading.level);
        path.push(heading);
        let line_end = extracted.text[heading.end..].find('\n');
        let body = line_end.map_or(extracted.text.len(), |at| heading.end + at + 1);
        sections.push(Section { range: heading.start..extracted.text.len(), body, path: path.clone() });
    }
    sections.retain(|section| !section.range.is_empty());
    sections
}

/// Joins small sections with what follows under the same heading, up to `room` tokens.
pub(super) fn merge_small<'a>(
    sections: Vec<Section<'a>>,
    text: &str,
    room: usize,
    counter: &TokenCounter,
) -> Vec<Section<'a>> {
    // The heading path takes room, too, and is not known before it is clear what is joined.
    let room = room - room / super::HEADING_SHARE;
    let small = room / SMALL_SHARE;
    let mut merged: Vec<Merged<'a>> = Vec::new();
    for section in sections {
        let next = Merged::new(section, text, counter);
        match merged.last_mut() {
            Some(last) if last.takes(&next, small, room) => last.append(next),
            Some(_) | None => merged.push(next),
        }
    }
    merged.into_iter().map(|merged| merged.section).collect()
}

/// One or more sections in a row.
struct Merged<'a> {
    section: Section<'a>,
    /// Of the first section's heading.
    level: usize,
    tokens: usize,
    filling: Filling,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Filling {
    Blank,
    HeadingsOnly,
    Text,
}

impl<'a> Merged<'a> {
    fn new(section: Section<'a>, text: &str, counter: &TokenCounter) -> Self {
        let body_is_blank = text[section.body..section.range.end].trim().is_empty();
        let filling = match (body_is_blank, section.path.is_empty()) {
            (true, true) => Filling::Blank,
            (true, false) => Filling::HeadingsOnly,
            (false, _) => Filling::Text,
        };
        let level = section.path.last().map_or(0, |heading| heading.level.into());
        let tokens = counter.count(&text[section.range.clone()]);
        Self { section, level, tokens, filling }
    }

    fn takes(&self, next: &Self, small: usize, room: usize) -> bool {
        // A deeper section or a sibling belongs to what came before; a higher one begins something new.
        let belongs = next.level >= self.level;
        let is_small = self.tokens < small || (next.tokens < small && self.tokens < room / 2);
        match (self.filling, next.filling) {
            (Filling::Blank, _) | (_, Filling::Blank) => true,
            // A heading alone is no passage, however long the first section below it is.
            (Filling::HeadingsOnly, _) if next.level > self.level => true,
            (Filling::HeadingsOnly | Filling::Text, Filling::HeadingsOnly | Filling::Text) => {
                belongs && is_small && self.tokens + next.tokens <= room
            }
        }
    }

    fn append(&mut self, next: Self) {
        match (self.filling, next.filling) {
            (_, Filling::Blank) => {}
            // Headings with nothing of their own below them leave the path to the one that follows.
            (Filling::Blank | Filling::HeadingsOnly, _) => {
                self.section.body = next.section.body;
                self.section.path = next.section.path;
                self.filling = next.filling;
            }
            (Filling::Text, _) => {
                let paths = self.section.path.iter().zip(&next.section.path);
                let shared = paths.take_while(|(one, other)| one.start == other.start).count();
                self.section.path.truncate(shared);
            }
        }
        self.section.range.end = next.section.range.end;
        self.tokens += next.tokens;
    }
}
