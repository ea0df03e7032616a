//! The part of a source that supports a sentence best, and whether that is enough.

use std::collections::HashSet;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::source_document::SourceDocument;
use crate::text::passage::{Unit, shown, units};
use crate::text::words::{content_stems, is_function_word, numbers, stem};

/// Most of a sentence's words have to be in its quote, or else its meaning: with fewer, it is about something else or in
/// other words.
const SUPPORTED_SHARE: f32 = 0.6;

/// How much more of the sentence two units of the source must contain than one, to be quoted together.
const WORTH_A_SECOND_UNIT: f32 = 0.15;

#[derive(Debug, PartialEq)]
pub(super) struct Support {
    /// Bytes of the source.
    pub(super) quote: Range<usize>,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Verified,
    /// Names, numbers and quoted strings are there, and most other words are not: its meaning decides.
    InOtherWords,
    NotVerified,
}

/// The one or two neighbouring units of the source that contain most of the words of `sentence`.
pub(super) fn best(sentence: &str, passage: &SourceDocument) -> Support {
    let sentence = shown(sentence);
    let source = passage.text.as_str();
    let units = units(source);
    if let Some(same) = units.iter().find(|unit| shown(&source[unit.span.clone()]) == sentence) {
        return Support { quote: same.span.clone(), verdict: Verdict::Verified };
    }
    let claim = Claim::of(&sentence);
    let mut best: Option<(f32, Range<usize>)> = None;
    for quote in quotes(&units) {
        let is_pair = units.iter().all(|unit| unit.span != quote);
        let worth = claim.share_in(&shown(&source[quote.clone()])) - if is_pair { WORTH_A_SECOND_UNIT } else { 0.0 };
        if best.as_ref().is_none_or(|(most, _)| worth > *most) {
            best = Some((worth, quote));
        }
    }
    let quote = best.map_or(0..source.len(), |(_, quote)| quote);
    let quoted = shown(&source[quote.clone()]);
    let verdict = if !claim.facts_occur_in(&quoted) || !claim.names_occur_in(passage) {
        Verdict::NotVerified
    } else if claim.share_in(&quoted) >= SUPPORTED_SHARE {
        Verdict::Verified
    } else {
        Verdict::InOtherWords
    };
    Support { quote, verdict }
}

/// Every unit, and every two neighbours.
fn quotes(units: &[Unit]) -> impl Iterator<Item = Range<usize>> {
    let single = units.iter().map(|unit| unit.span.clone());
    single.chain(units.windows(2).map(|pair| pair[0].span.start..pair[1].span.end))
}

/// What must be found in a quote.
struct Claim {
    stems: HashSet<String>,
    numbers: Vec<String>,
    /// In lower case.
    quoted: Vec<String>,
    /// Stems of capitalised words that do not begin the sentence.
    names: Vec<String>,
}

impl Claim {
    fn of(sentence: &str) -> Self {
        Self {
            stems: content_stems(sentence).into_iter().collect(),
            numbers: numbers(sentence),
            quoted: quoted(sentence),
            names: names(sentence),
        }
    }

    /// Of the claim's words, 0 to 1; nothing is supported of a sentence that says nothing.
    fn share_in(&self, quote: &str) -> f32 {
        let stems: HashSet<String> = content_stems(quote).into_iter().collect();
        let found = self.stems.intersection(&stems).count();
        found as f32 / self.stems.len().max(1) as f32
    }

    /// A name may stand anywhere in the passage, in its heading or title: the quote may call it "it".
    fn names_occur_in(&self, passage: &SourceDocument) -> bool {
        if self.names.is_empty() {
            return true;
        }
        let heading = passage.heading.as_deref().unwrap_or_default();
        let said = [passage.text.as_str(), heading, &passage.title].map(content_stems).concat();
        self.names.iter().all(|name| said.contains(name))
    }

    /// Numbers and quoted strings.
    fn facts_occur_in(&self, quote: &str) -> bool {
        let numbers = numbers(quote);
        let lower = quote.to_lowercase();
        self.numbers.iter().all(|number| numbers.contains(number))
            && self.quoted.iter().all(|quoted| lower.contains(quoted))
    }
}

/// Words with a capital inside a sentence. In German nouns are among them, and have to occur as well.
fn names(sentence: &str) -> Vec<String> {
    let words = sentence.unicode_words().skip(1);
    let capitalised = words.filter(|word| word.starts_with(char::is_uppercase));
    capitalised.map(str::to_lowercase).filter(|word| !is_function_word(word)).map(|word| stem(&word)).collect()
}

/// What stands between quotation marks or backticks: it claims to be written so.
fn quoted(sentence: &str) -> Vec<String> {
    const MARKS: [(char, char); 5] = [('"', '"'), ('“', '”'), ('«', '»'), ('「', '」'), ('`', '`')];
    let mut quoted = Vec::new();
    for (open, close) in MARKS {
        let mut rest = sentence;
        while let Some((inside, after)) = rest.split_once(open).and_then(|(_, after)| after.split_once(close)) {
            // Punctuation before the closing mark belongs to the sentence around it.
            quoted.push(inside.trim_end_matches([',', '.', '!', '?']).to_lowercase());
            rest = after;
        }
    }
    quoted.retain(|quoted| !quoted.trim().is_empty());
    quoted
}
