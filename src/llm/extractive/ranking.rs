//! Which candidates speak to the question.

use super::candidates::Candidate;
use crate::text::topic::topic_of;
use crate::text::words::{content_stems, lower_words};

#[derive(Debug, Clone)]
pub(super) struct Ranked {
    pub(super) candidate: Candidate,
    /// How far the question is met by meaning and by words; comparable between questions.
    pub(super) support: f32,
    /// What candidates are ordered by; comparable within one question.
    pub(super) score: f32,
}

/// What a definition is worth to a question that asks for one: as much as half of the question's words.
const DEFINITION: f32 = 0.15;

/// The candidates by how well they answer, best first.
pub(super) fn rank(question: &str, candidates: Vec<Candidate>, similarities: &[f32]) -> Vec<Ranked> {
    let topic = topic_of(question).map(|topic| content_stems(&topic));
    let scored = candidates.into_iter().zip(similarities).map(|(candidate, &similarity)| {
        let defines = topic.as_ref().is_some_and(|topic| defines(&candidate.text, topic));
        let support = similarity + candidate.lexical_score();
        let score = similarity + candidate.lexical_rank() + if defines { DEFINITION } else { 0.0 };
        Ranked { candidate, support, score }
    });
    let mut ranked: Vec<Ranked> = scored.collect();
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    ranked
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
