//! What to say of what was found, and whether it is enough to say anything.

use std::collections::HashSet;

use super::composition::Sentence;
use super::ranking::Ranked;
use crate::llm::Scope;
use crate::text::words::{content_stems, lower_words};

/// What the nearest passage counts beside the best sentence, for each unit of its cosine above or below [`MIDDLE`]: a
/// question about something that the documents do not treat may have a sentence that seems to answer it, but hardly a
/// whole passage near it.
const PASSAGE: f32 = 4.0;
const MIDDLE: f32 = 0.5;

/// The least support of an answer. How many questions each threshold refuses is in docs/retrieval.md.
const LEAST_SUPPORT: f32 = 0.37;

/// A second sentence is said if its score is no further below the best one's.
const SECOND: f32 = 6.0;

const MOST_SENTENCES: usize = 2;

/// Two sentences with this share of their words in common say the same.
const SAME: f32 = 0.7;

/// What was decided.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The probability that the best candidate answers; 0 where there is none.
    pub(super) support: f32,
    /// In reading order; none where nothing supports an answer.
    pub(super) sentences: Vec<Sentence>,
}

/// What to say, in reading order: by source, the best one's first, and within a source as it stands there.
///
/// `closeness` is the cosine of the question and the nearest passage, where it is known.
pub(super) fn select(ranked: Vec<Ranked>, closeness: Option<f32>, scope: Scope) -> Selection {
    let best = ranked.iter().map(|ranked| ranked.support).max_by(f32::total_cmp);
    let passage = closeness.map_or(0.0, |closeness| PASSAGE * (closeness - MIDDLE));
    let support = best.map_or(0.0, |best| probability(best + passage));
    let is_enough = support >= LEAST_SUPPORT || scope == Scope::DocumentsFirst;
    let sentences = if is_enough { sentences(&ranked) } else { Vec::new() };
    Selection { support, sentences }
}

fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

fn sentences(ranked: &[Ranked]) -> Vec<Sentence> {
    let Some(best) = ranked.first() else { return Vec::new() };
    let mut chosen: Vec<&Ranked> = vec![best];
    let worth_saying = ranked[1..].iter().take_while(|other| other.score >= best.score - SECOND);
    let news = |other: &&Ranked| !says_the_same(&best.candidate.text, &other.candidate.text);
    chosen.extend(worth_saying.filter(|other| news(other)).take(MOST_SENTENCES - 1));
    in_reading_order(with_referents(&chosen))
}

fn says_the_same(one: &str, other: &str) -> bool {
    let (one, other): (HashSet<_>, HashSet<_>) =
        (content_stems(one).into_iter().collect(), content_stems(other).into_iter().collect());
    let common = one.intersection(&other).count();
    common as f32 >= SAME * one.len().min(other.len()) as f32
}

/// The chosen sentences, each with the one before it if it begins with a pronoun that would hang in the air. The best
/// comes first and is never dropped for want of room.
fn with_referents(chosen: &[&Ranked]) -> Vec<Sentence> {
    let mut sentences: Vec<Sentence> = Vec::new();
    for ranked in chosen {
        let candidate = &ranked.candidate;
        let sentence =
            Sentence { n: candidate.n, unit: candidate.unit, kind: candidate.kind, text: candidate.text.clone() };
        let referent = candidate.before.clone().filter(|_| begins_with_pronoun(&candidate.text)).map(|text| Sentence {
            unit: candidate.unit - 1,
            text,
            ..sentence.clone()
        });
        for sentence in [Some(sentence), referent].into_iter().flatten() {
            if sentences.len() < MOST_SENTENCES && !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
    }
    sentences
}

fn begins_with_pronoun(text: &str) -> bool {
    const PRONOUNS: [&str; 13] =
        ["it", "its", "they", "their", "them", "he", "his", "she", "her", "this", "these", "those", "both"];
    lower_words(text).first().is_some_and(|first| PRONOUNS.contains(&first.as_str()))
}

fn in_reading_order(sentences: Vec<Sentence>) -> Vec<Sentence> {
    let mut sources: Vec<usize> = Vec::new();
    for sentence in &sentences {
        if !sources.contains(&sentence.n) {
            sources.push(sentence.n);
        }
    }
    let mut ordered = sentences;
    ordered.sort_by_key(|sentence| (sources.iter().position(|n| *n == sentence.n), sentence.unit));
    ordered
}
