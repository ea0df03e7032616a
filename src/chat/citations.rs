//! Checking what an answer cites: which sentence, which part of which source supports it, and whether it really does.
//! Deterministic, of the answer and its sources alone.

mod meaning;
mod support;

use std::collections::BTreeSet;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::support::Verdict;
use crate::source_document::SourceDocument;
use crate::text::code_points::code_point_range;
use crate::text::markers::{Marker, markers};
use crate::text::passage::{UnitKind, shown, units};

/// One cited sentence and the part of one source that supports it best.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// The source's number.
    pub n: usize,
    pub chunk_id: Uuid,
    /// `[start, end]` in the response, in code points, without the `[n]` behind the sentence.
    pub sentence: [usize; 2],
    /// `[start, end]` in the source's `text`, in code points.
    pub quote: [usize; 2],
    /// The quote contains the sentence's numbers and its quoted strings, and most of its words or its meaning; its passage
    /// contains the names.
    pub verified: bool,
}

/// What a response cites.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CheckedCitations {
    /// In the order of the response; one for each pair of sentence and source.
    pub citations: Vec<Citation>,
    /// How many numbers in brackets name no source.
    pub unknown: usize,
    /// `[start, end]` of each sentence that cites nothing, in code points and in order.
    pub uncited: Vec<[usize; 2]>,
    in_other_words: Vec<InOtherWords>,
}

/// A citation that is verified if the sentence means what its quote says.
#[derive(Debug, PartialEq, Eq)]
struct InOtherWords {
    /// Position among the citations.
    citation: usize,
    sentence: String,
    quote: String,
}

/// More than a person checks. Without a limit, an answer that repeats itself until the model is stopped would take minutes.
const MOST_CITATIONS: usize = 200;

/// Finds and checks the citations of `response`, and sets `cited` of each source. Of more than [`MOST_CITATIONS`] only
/// the first are checked and listed. [`CheckedCitations::compare_meanings`] goes on where words do not decide.
///
/// Takes milliseconds for an ordinary answer and up to seconds for a monstrous one, so it belongs on a blocking thread.
pub fn check(response: &str, sources: &mut [SourceDocument]) -> CheckedCitations {
    let mut checked = CheckedCitations::default();
    let mut seen = BTreeSet::new();
    for source in sources.iter_mut() {
        source.cited = false;
    }
    let Sentences { all, cited } = sentences(response);
    let mut cited_starts = BTreeSet::new();
    for (sentence, marker) in cited {
        for n in marker.numbers {
            let Some(source) = sources.iter_mut().find(|source| source.n == n) else {
                checked.unknown += 1;
                continue;
            };
            source.cited = true;
            cited_starts.extend(sentence.as_ref().map(|sentence| sentence.start));
            if checked.citations.len() == MOST_CITATIONS {
                continue;
            }
            let Some(sentence) = sentence.clone().filter(|sentence| seen.insert((sentence.start, n))) else { continue };
            let support = support::best(&response[sentence.clone()], source);
            if support.verdict == Verdict::InOtherWords {
                checked.in_other_words.push(InOtherWords {
                    citation: checked.citations.len(),
                    sentence: shown(&response[sentence.clone()]),
                    quote: shown(&source.text[support.quote.clone()]),
                });
            }
            checked.citations.push(Citation {
                n,
                chunk_id: source.id,
                sentence: code_point_range(response, &sentence),
                quote: code_point_range(&source.text, &support.quote),
                verified: support.verdict == Verdict::Verified,
            });
        }
    }
    let uncited = all.iter().filter(|sentence| !cited_starts.contains(&sentence.start)).take(MOST_CITATIONS);
    checked.uncited = uncited.map(|sentence| code_point_range(response, sentence)).collect();
    checked
}

/// What a response says and what it cites for it.
struct Sentences {
    all: Vec<Range<usize>>,
    /// Each marker with the sentence it belongs to.
    cited: Vec<(Option<Range<usize>>, Marker)>,
}

/// Each marker with the sentence it belongs to: the one it stands in or behind, or, at the beginning of a line, the
/// one that follows. A response of markers alone has no sentence.
fn sentences(response: &str) -> Sentences {
    let code = code_spans(response);
    let mut markers = markers(response);
    markers.retain(|marker| {
        let next = code.partition_point(|code| code.end <= marker.span.start);
        !code.get(next).is_some_and(|code| code.contains(&marker.span.start))
    });
    let units = units(&without(response, &markers)).into_iter().filter(|unit| unit.kind != UnitKind::Code);
    let sentences: Vec<Range<usize>> = units.map(|unit| unit.span).collect();
    let line_breaks: Vec<usize> = response.match_indices('\n').map(|(at, _)| at).collect();
    // Found by halving: an answer may have as many markers as it has sentences.
    let belongs = |marker: &Marker| {
        let before = &sentences[..sentences.partition_point(|sentence| sentence.start < marker.span.start)];
        let next_break = line_breaks.partition_point(|line_break| *line_break < marker.span.start);
        let line_start = next_break.checked_sub(1).map_or(0, |previous| line_breaks[previous] + 1);
        let line_end = line_breaks.get(next_break).copied().unwrap_or(response.len());
        let opens_a_line = response[line_start..marker.span.start].trim_end().is_empty();
        let behind = &sentences[sentences.partition_point(|sentence| sentence.start < marker.span.end)..];
        let behind = behind.first().filter(|sentence| sentence.start < line_end);
        let sentence = if opens_a_line { behind.or(before.last()) } else { before.last().or(behind) };
        sentence.cloned()
    };
    let cited = markers.into_iter().map(|marker| (belongs(&marker), marker)).collect();
    Sentences { all: sentences, cited }
}

/// The response with white space in the place of its markers, so that its sentences are found without them. A marker
/// behind a finished sentence ends it for certain, whatever the next one begins with.
fn without(response: &str, markers: &[Marker]) -> String {
    const SENTENCE_ENDS: [char; 9] = ['.', '!', '?', '…', '。', '!', '?', '"', '”'];
    let mut blanked = String::with_capacity(response.len());
    let mut ends_sentence = false;
    for marker in markers {
        let between = &response[blanked.len()..marker.span.start];
        // Between two markers there may be nothing: then the second stands behind what the first stands behind.
        if !between.trim_end().is_empty() {
            ends_sentence = between.trim_end().ends_with(SENTENCE_ENDS);
        }
        blanked.push_str(between);
        let blank = if ends_sentence { "\n" } else { " " };
        blanked.push_str(&blank.repeat(marker.span.len()));
    }
    blanked.push_str(&response[blanked.len()..]);
    blanked
}

/// Inline code and fenced blocks: `argv[1]` cites nothing.
fn code_spans(response: &str) -> Vec<Range<usize>> {
    let events = Parser::new(response).into_offset_iter();
    let code = events
        .filter(|(event, _)| matches!(event, Event::Code(_) | Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_)))));
    code.map(|(_, span)| span).collect()
}

#[cfg(test)]
mod tests;
