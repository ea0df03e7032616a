//! Which candidates speak to the question.

use super::candidates::Candidate;
use crate::text::topic::topic_of;
use crate::text::words::{content_stems, lower_words};

#[derive(Debug, Clone)]
pub(super) struct Ranked {
    pub(super) candidate: Candidate,
    /// How well it answers, as a logit; comparable between questions.
    pub(super) support: f32,
    /// What candidates are ordered by; comparable within one question.
    pub(super) score: f32,
}

/// What a definition is worth to a question that asks for one.
const DEFINITION: f32 = 1.0;

/// What it costs a sentence to say what is, where the question asks for what is not. The model hardly minds.
const NEGATION: f32 = 4.0;

/// The candidates by how well they answer, best first. `relevance` is what the cross-encoder says of each.
pub(super) fn rank(question: &str, candidates: Vec<Candidate>, relevance: &[f32]) -> Vec<Ranked> {
    let topic = topic_of(question).map(|topic| content_stems(&topic));
    let asks_for_what_is_not = negates(question);
    let scored = candidates.into_iter().zip(relevance).map(|(candidate, &relevance)| {
        let defines = topic.as_ref().is_some_and(|topic| defines(&candidate.text, topic));
        let misses = asks_for_what_is_not && !negates(&candidate.text);
        let support = relevance - if misses { NEGATION } else { 0.0 };
        let score = support + candidate.lexical_rank() + if defines { DEFINITION } else { 0.0 };
        Ranked { candidate, support, score }
    });
    let mut ranked: Vec<Ranked> = scored.collect();
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    ranked
}

/// Whether it says that something is not so, or is so of the least or of none. English.
fn negates(text: &str) -> bool {
    const NEGATIONS: [&str; 20] = [
        "not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "cannot", "without", "except",
        "lack", "lacks", "lacked", "unable", "fail", "fails", "failed", "least",
    ];
    lower_words(text).iter().any(|word| word.ends_with("n't") || NEGATIONS.contains(&word.as_str()))
}

/// Whether a sentence begins with the topic and then says what it is: "Machine learning (ML) is …", "A session is …",
/// "BM25 – a ranking function …".
fn defines(text: &str, topic: &[String]) -> bool {
    const SAYS_WHAT_IT_IS: [&str; 13] = [
        "is",
        "are",
        "was",
        "were",
        "means",
        "mean",
        "refers",
        "describes",
        "denotes",
        "consists",
        "stands",
        "lets",
        "learns",
    ];
    /// An article, and an abbreviation in brackets.
    const WORDS_BESIDE_TOPIC: usize = 3;
    let words = lower_words(text);
    let subject_end = words.iter().position(|word| SAYS_WHAT_IT_IS.contains(&word.as_str()));
    let Some(subject) = subject_end.map(|end| &words[..end]) else { return false };
    let stems = content_stems(&subject.join(" "));
    !topic.is_empty()
        && subject.len() <= topic.len() + WORDS_BESIDE_TOPIC
        && topic.iter().all(|word| stems.contains(word))
}

#[cfg(test)]
mod tests {
    use super::negates;

    #[test]
    fn a_negation_is_a_word_of_its_own() {
        for text in ["Which countries did not sign?", "Who didn’t sign?", "Nobody signed.", "all except one"] {
            assert!(negates(text), "{text}");
        }
        for text in ["Which countries signed?", "A notice in November.", "The knot held."] {
            assert!(!negates(text), "{text}");
        }
    }
}
