//! What a question is about, where its form leaves no doubt: "What is X?", "Tell me about X", "How does X work?".

use super::words::{is_function_word, lower_words};

/// A question of one of these forms has no other noun phrase that a later "it" could mean.
const FORMS: [(&str, &str); 20] = [
    ("what is meant by ", ""),
    ("what does ", " mean"),
    ("what does ", " do"),
    ("what do ", " do"),
    ("what is ", ""),
    ("what's ", ""),
    ("what are ", ""),
    ("what was ", ""),
    ("what were ", ""),
    ("who is ", ""),
    ("who was ", ""),
    ("who are ", ""),
    ("who were ", ""),
    ("how does ", " work"),
    ("how do ", " work"),
    ("tell me about ", ""),
    ("what do you know about ", ""),
    ("explain ", ""),
    ("describe ", ""),
    ("define ", ""),
];

const LONGEST_TOPIC_WORDS: usize = 7;

/// The topic in the question's own words and capitals; none where the question asks more about it than what it is.
pub fn topic_of(question: &str) -> Option<String> {
    let question = question.trim_end_matches(['?', '.', '!', ' ']);
    // ASCII only, so that offsets are those of the question.
    let lower = question.to_ascii_lowercase();
    FORMS.iter().find_map(|(before, after)| {
        let inside = lower.strip_prefix(before)?.strip_suffix(after)?;
        let topic = &question[before.len()..before.len() + inside.len()];
        is_noun_phrase(topic).then(|| topic.to_owned())
    })
}

/// Few words, the last one with a meaning, and none that begins a clause or points elsewhere: "Redis used for" and "the
/// way it does that" are not what a question is about.
fn is_noun_phrase(topic: &str) -> bool {
    const INSIDE_PHRASES: [&str; 14] =
        ["a", "an", "the", "of", "in", "on", "for", "and", "with", "between", "from", "at", "own", "per"];
    let words = lower_words(topic);
    let ends_with_meaning = words.last().is_some_and(|last| !is_function_word(last));
    ends_with_meaning
        && words.len() <= LONGEST_TOPIC_WORDS
        && !topic.contains(['?', ',', ';', ':', '.'])
        && words.iter().all(|word| !is_function_word(word) || INSIDE_PHRASES.contains(&word.as_str()))
}
