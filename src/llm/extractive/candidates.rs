//! What of the sources could be quoted: complete sentences, list items and table rows, the ones closest to the
//! question's words first.

use std::collections::{HashMap, HashSet};

use crate::source_document::SourceDocument;
use crate::text::passage::{Unit, UnitKind, shown, units};
use crate::text::words::{content_stems, lower_words};

/// How many candidates are compared with the question by meaning, which costs about 7 ms each on one core.
const MOST_CANDIDATES: usize = 16;

/// Longer "sentences" are tables and lists that lost their marks when they were extracted.
const LONGEST_CHARS: usize = 600;

/// Something that can be said as it is.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Position of its source among the sources, 0 for the best.
    pub(super) source: usize,
    /// The source's number.
    pub(super) n: usize,
    /// Position among the source's units.
    pub(super) unit: usize,
    /// The unit before it in the same paragraph or list item, which a pronoun at its beginning may refer to.
    pub(super) before: Option<String>,
    pub(super) kind: UnitKind,
    pub(super) text: String,
    /// The heading it stands under, or the document's title.
    pub(super) under: String,
    pub(super) overlap: Overlap,
}

/// The shares of the question's words, weighted by rarity, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Overlap {
    /// That the candidate contains.
    pub(super) own: f32,
    /// That it, the unit before it, its heading or its title contain.
    pub(super) in_context: f32,
}

impl Candidate {
    /// As it is compared with the question: a sentence alone often does not name what it is about.
    pub(super) fn in_context(&self) -> String {
        format!("{}. {}", self.under, self.text)
    }

    /// What is known of it before its meaning is: its words, and how well its source was found. Comparable between
    /// questions.
    pub(super) fn lexical_score(&self) -> f32 {
        self.weighed(0.3, 0.2, 0.03)
    }

    /// The same for choosing between the candidates of one question, where words and ranks may count more: the rarest
    /// word tells which sentence is meant, and a passage that answers has more that does.
    pub(super) fn lexical_rank(&self) -> f32 {
        self.weighed(0.4, 0.4, 0.5)
    }

    fn weighed(&self, own: f32, in_context: f32, each_rank: f32) -> f32 {
        // Ranks behind the tenth are all alike.
        let behind = each_rank * self.source.min(10) as f32;
        own * self.overlap.own + in_context * self.overlap.in_context - behind
    }
}

/// The candidates for an answer, at most [`MOST_CANDIDATES`].
pub(super) fn gather(question: &str, sources: &[SourceDocument]) -> Vec<Candidate> {
    let asked: HashSet<String> = content_stems(question).into_iter().collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let mut said = HashSet::new();
    let mut parts = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        parts.extend(parts_of(source, index).into_iter().filter(|part| said.insert(part.candidate.text.clone())));
    }
    let rarity = rarity(&asked, &parts);
    let total: f32 = rarity.values().sum();
    let share = |stems: &HashSet<String>| {
        let found: f32 = rarity.iter().filter(|(word, _)| stems.contains(**word)).map(|(_, rarity)| rarity).sum();
        found / total
    };
    let mut candidates: Vec<Candidate> = parts
        .into_iter()
        .filter(|part| part.quotable)
        .map(|Part { mut candidate, stems, mut context, .. }| {
            candidate.overlap.own = share(&stems);
            context.extend(stems);
            candidate.overlap.in_context = share(&context);
            candidate
        })
        .collect();
    candidates.sort_by(|one, other| other.lexical_score().total_cmp(&one.lexical_score()));
    candidates.truncate(MOST_CANDIDATES);
    candidates
}

/// A unit of a source on its way to be a candidate.
struct Part {
    candidate: Candidate,
    /// What it says.
    stems: HashSet<String>,
    /// What is said around it.
    context: HashSet<String>,
    /// Says something by itself, and is whole.
    quotable: bool,
}

fn parts_of(source: &SourceDocument, index: usize) -> Vec<Part> {
    let units = units(&source.text);
    let title = shown(&source.title);
    let section = source.heading.as_deref().map(innermost).unwrap_or(title.clone());
    let mut parts: Vec<Part> = Vec::with_capacity(units.len());
    for (position, unit) in units.iter().enumerate() {
        let text = shown(&source.text[unit.span.clone()]);
        let under = unit.heading.clone().unwrap_or_else(|| section.clone());
        let mut context: HashSet<String> = content_stems(&under).into_iter().chain(content_stems(&title)).collect();
        let mut before = None;
        if let Some(previous) = position.checked_sub(1) {
            context.extend(parts[previous].stems.iter().cloned());
            let same_block = units[previous].block == unit.block;
            before = same_block.then(|| parts[previous].candidate.text.clone());
        }
        let quotable = is_whole(source, &units, position) && says_something(unit, &text);
        let stems = content_stems(&text).into_iter().collect();
        let overlap = Overlap { own: 0.0, in_context: 0.0 };
        let candidate =
            Candidate { source: index, n: source.n, unit: position, before, kind: unit.kind, text, under, overlap };
        parts.push(Part { candidate, stems, context, quotable });
    }
    parts
}

/// `What it is` of `Intro > What it is`.
fn innermost(heading: &str) -> String {
    shown(heading.rsplit(" > ").next().unwrap_or(heading))
}

/// Whether a sentence is not cut by the passage's beginning or end.
fn is_whole(source: &SourceDocument, units: &[Unit], position: usize) -> bool {
    let unit = &units[position];
    let text = &source.text[unit.span.clone()];
    if unit.kind != UnitKind::Sentence {
        return true;
    }
    let begins_inside = position == 0 && source.start > 0 && text.starts_with(char::is_lowercase);
    let ends_inside = position > 0 && position + 1 == units.len() && !ends_a_sentence(text);
    !begins_inside && !ends_inside
}

/// Whether the text ends with a mark that ends sentences, closing quotation marks and emphasis aside.
pub(super) fn ends_a_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '’', '\'', ')', '*', '_', '`', '」', ' '])
        .ends_with(['.', '!', '?', '…', '。', '!', '?'])
}

/// Not a question, which is no answer; not the introduction of a list that is not quoted with it; not code, and neither
/// a stray word nor half a page.
fn says_something(unit: &Unit, text: &str) -> bool {
    const FEWEST_WORDS: usize = 3;
    let asks_or_introduces = text.ends_with(['?', '?', ':', ':']);
    let enough_words = lower_words(text).len() >= FEWEST_WORDS || unit.kind == UnitKind::TableRow;
    unit.kind != UnitKind::Code && !asks_or_introduces && enough_words && text.chars().count() <= LONGEST_CHARS
}

/// How much each of the question's words tells, by how few of the parts contain it (the IDF of BM25): a word that all
/// of them contain is what they are about, a word that one contains is what is asked.
fn rarity<'asked>(asked: &'asked HashSet<String>, parts: &[Part]) -> HashMap<&'asked str, f32> {
    let count = parts.len() as f32;
    let of_word = |word: &String| {
        let containing = parts.iter().filter(|part| part.stems.contains(word)).count() as f32;
        (1.0 + (count - containing + 0.5) / (containing + 0.5)).ln()
    };
    asked.iter().map(|word| (word.as_str(), of_word(word))).collect()
}
