//! Cutting one section into pieces of a size.

use std::ops::Range;

use text_splitter::{ChunkConfig, CodeSplitter, MarkdownSplitter, TextSplitter};

use super::section::Section;
use super::tokens::TokenCounter;
use crate::extract::Markup;

/// The splitter looks at all of the text before it for every piece, so it is given a window of a long text at a time. At
/// eight bytes to a token, which is much, this is eight pieces.
const WINDOW_BYTES_PER_TOKEN: usize = 64;

/// Ranges of `text` that follow one another from the beginning of the section to its end, each of at most `room` tokens.
/// Headings stay with what they stand above.
pub(super) fn split(
    text: &str,
    section: &Section,
    markup: Markup,
    room: usize,
    counter: &TokenCounter,
) -> Vec<Range<usize>> {
    let Range { start, end } = section.range;
    if counter.count(&text[start..end]) <= room {
        return vec![section.range.clone()];
    }
    // The splitter would rather leave a heading by itself than cut the paragraph below it.
    let headings = counter.count(&text[start..section.body]);
    let (body, room) = if headings <= room / 2 { (section.body, room - headings) } else { (start, room) };
    let mut borders = piece_borders(text, body..end, markup, room, counter);
    borders[0] = start;
    let pieces = borders.windows(2).map(|pair| pair[0]..pair[1]).collect();
    without_blanks(text, keep_space_with_what_precedes(text, pieces))
}

/// The beginning of `range`, where it is to be cut, and its end.
fn piece_borders(text: &str, range: Range<usize>, markup: Markup, room: usize, counter: &TokenCounter) -> Vec<usize> {
    let mut borders = vec![range.start];
    let mut start = range.start;
    while start < range.end {
        let end = window_end(text, start, range.end, room * WINDOW_BYTES_PER_TOKEN);
        let mut starts = piece_starts(&text[start..end], markup, room, counter);
        // The last piece may only be so short because the window ends there; it begins the next window.
        let next = if end == range.end { end } else { starts.pop().map_or(end, |last| start + last) };
        let next = if next == start { end } else { next };
        borders.extend(starts.into_iter().map(|piece| start + piece));
        borders.push(next);
        start = next;
    }
    borders.dedup();
    borders
}

/// Where the pieces of `text` begin.
fn piece_starts(text: &str, markup: Markup, room: usize, counter: &TokenCounter) -> Vec<usize> {
    let config = ChunkConfig::new(room).with_sizer(counter).with_trim(false);
    match markup {
        Markup::Plain => TextSplitter::new(config).chunk_indices(text).map(|(start, _)| start).collect(),
        Markup::Markdown => MarkdownSplitter::new(config).chunk_indices(text).map(|(start, _)| start).collect(),
        Markup::Code(language) => {
            let splitter = CodeSplitter::new(language.grammar(), config).expect("the grammar is of this version");
            splitter.chunk_indices(text).map(|(start, _)| start).collect()
        }
    }
}

/// `bytes` after `start`, or a little less, where a line or at least a word ends.
fn window_end(text: &str, start: usize, end: usize, bytes: usize) -> usize {
    if end - start <= bytes {
        return end;
    }
    let mut window = start + bytes;
    while !text.is_char_boundary(window) {
        window -= 1;
    }
    let last_half = start + bytes / 2;
    let in_last_half = |at: usize| (at >= last_half).then_some(at);
    let after = |at: Option<usize>, length: usize| at.and_then(|at| in_last_half(start + at + length));
    let slice = &text[start..window];
    after(slice.rfind("\n\n"), 2)
        .or_else(|| after(slice.rfind('\n'), 1))
        .or_else(|| after(slice.rfind(' '), 1))
        .unwrap_or(window)
}

/// Moves empty lines and spaces at a piece's beginning to the end of the one before; indentation stays.
fn keep_space_with_what_precedes(text: &str, mut pieces: Vec<Range<usize>>) -> Vec<Range<usize>> {
    for index in 1..pieces.len() {
        let piece = &text[pieces[index].clone()];
        let space = &piece[..piece.len() - piece.trim_start().len()];
        let border = match space.rfind('\n') {
            Some(line_end) => line_end + 1,
            None if text[..pieces[index].start].ends_with('\n') => 0,
            None => space.len(),
        };
        let border = pieces[index].start + border;
        pieces[index - 1].end = border;
        pieces[index].start = border;
    }
    pieces
}

/// Joins pieces of nothing but white space with the one before, or the first with the one after.
fn without_blanks(text: &str, pieces: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut kept: Vec<Range<usize>> = Vec::new();
    for piece in pieces {
        let is_blank = |range: &Range<usize>| text[range.clone()].trim().is_empty();
        match kept.last_mut() {
            Some(last) if is_blank(&piece) || is_blank(last) => last.end = piece.end,
            Some(_) | None => kept.push(piece),
        }
    }
    kept
}
