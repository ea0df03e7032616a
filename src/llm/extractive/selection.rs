//! What to say of what was found, and whether it is enough to say anything.

use std::collections::HashSet;

use super::composition::Sentence;
use super::ranking::Ranked;
use crate::text::words::{content_stems, lower_words};

/// The least support of an answer: the cosine to the question, and up to half as much again for containing its words.
///
/// Questions about something else than the documents reach it in about 1 case of 20, and so do 19 of 20 questions that
/// the documents answer, on Wikipedia passages as on software manuals: with the cosine alone it is 1 of 7.
const LEAST_SUPPORT: f32 = 0.62;

/// A second sentence is said if its score is this share of the best one's, a third only if it is almost as good: the
/// second holds the answer for 1 question in 12 for which the first does not, the third for 1 in 50.
const SECOND: f32 = 0.7;
const THIRD: f32 = 0.9;

const MOST_SENTENCES: usize = 3;

/// Two sentences with this share of their words in common say the same.
const SAME: f32 = 0.7;

/// What was decided.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Of the best candidate; 0 where there is none.
    pub(super) support: f32,
    /// In reading order; none where nothing supports an answer.
    pub(super) sentences: Vec<Sentence>,
}

/// What to say, in reading order: by source, the best one's first, and within a source as it stands there.
pub(super) fn select(ranked: Vec<Ranked>) -> Selection {
    let support = ranked.first().map_or(0.0, |best| best.support);
    Selection { support, sentences: sentences(&ranked) }
}

fn sentences(ranked: &[Ranked]) -> Vec<Sentence> {
    let Some(best) = ranked.first().filter(|best| best.support >= LEAST_SUPPORT) else { return Vec::new() };
    let shares_needed = [SECOND, THIRD];
    let mut chosen: Vec<&Ranked> = vec![best];
    for other in &ranked[1..] {
        let Some(share) = shares_needed.get(chosen.len() - 1) else { break };
        if other.score < share * best.score {
            break;
        }
        if chosen.iter().all(|said| !says_the_same(&said.candidate.text, &other.candidate.text)) {
            chosen.push(other);
        }
    }
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
