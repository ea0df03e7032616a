//! What of the conversation takes part in a search, and how much of it.
//!
//! Most messages stand alone, and earlier words in front of those make retrieval worse; but the words of the last turns,
//! weighed far below those of the message, also tell which of several places with the same words is meant. So they
//! always take part a little, and twice as much where the message depends on them; then the meaning of the last answer
//! takes part as well. Putting terms of the history into the query by weight is an old and strong way to search in
//! conversations (Yang and others, "Query and Answer Expansion from Conversation History", TREC CAsT 2019). What was
//! tried, with figures, is in docs/retrieval.md.

use footnote_knowledge::collection::ContextText;

use super::conversation::{Said, Speaker};

/// Weights beside a message that depends on the conversation; its own words and meaning count 1.
///
/// The user's words name the topic; the answers' words are many and name much else.
const USER_WORDS: f32 = 0.3;
const ANSWER_WORDS: f32 = 0.1;
/// The meaning of the last answer, added to the vector of a message that depends on it. Beside others it would gain
/// less than .01 nDCG@10, and to embed it takes as long as the message itself.
const ANSWER_MEANING: f32 = 0.4;

/// What is left of the words' weights beside a message that stands alone.
const STANDING_ALONE: f32 = 0.5;

/// What is left of a message's weight with each turn that came after it.
const EACH_TURN_BACK: f32 = 0.7;

/// Turns before these are forgotten: with five the figures are the same.
const TURNS: usize = 3;

/// An answer says what it is about in its first sentences, and embedding all of it costs several milliseconds.
const ANSWER_CHARS: usize = 200;

/// The part of a conversation that is searched with.
#[derive(Debug, Default)]
pub(super) struct Context<'a> {
    /// Words, each message with its weight.
    pub(super) words: Vec<ContextText<'a>>,
    /// The beginning of the last answer, whose meaning counts.
    pub(super) answer: Option<String>,
}

impl<'a> Context<'a> {
    /// `earlier` is oldest first.
    pub(super) fn of(earlier: &[Said<'a>], depends: bool) -> Self {
        let strength = if depends { 1.0 } else { STANDING_ALONE };
        let words =
            [(Speaker::User, USER_WORDS), (Speaker::Assistant, ANSWER_WORDS)].into_iter().flat_map(|(by, weight)| {
                let newest_first = earlier.iter().rev().filter(move |said| said.by == by).take(TURNS);
                let weights = std::iter::successors(Some(weight * strength), |weight| Some(weight * EACH_TURN_BACK));
                newest_first.zip(weights).map(|(said, weight)| ContextText { text: said.text, weight })
            });
        let last_answer = earlier.iter().rev().find(|said| depends && said.by == Speaker::Assistant);
        let answer = last_answer.map(|said| said.text.chars().take(ANSWER_CHARS).collect::<String>());
        Self { words: words.collect(), answer: answer.filter(|text| !text.trim().is_empty()) }
    }
}

/// The question's vector, moved towards the last answer's, at unit length.
pub(super) fn towards_answer(question: &[f32], answer: &[f32]) -> Vec<f32> {
    let mixed: Vec<f32> =
        question.iter().zip(answer).map(|(question, answer)| question + ANSWER_MEANING * answer).collect();
    let length = mixed.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 { mixed.iter().map(|number| number / length).collect() } else { question.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: [Said<'_>; 4] = [
        Said { by: Speaker::User, text: "What is Redis?" },
        Said { by: Speaker::Assistant, text: "A store." },
        Said { by: Speaker::User, text: "Who made it?" },
        Said { by: Speaker::Assistant, text: "Salvatore Sanfilippo." },
    ];

    fn weight_of(context: &Context<'_>, text: &str) -> f32 {
        context.words.iter().find(|words| words.text == text).unwrap().weight
    }

    #[test]
    fn later_messages_count_more_and_all_count_less_than_the_question() {
        let context = Context::of(&CONVERSATION, true);
        assert_eq!(context.words.len(), 4);
        assert!(weight_of(&context, "Who made it?") > weight_of(&context, "What is Redis?"));
        assert!(weight_of(&context, "What is Redis?") > weight_of(&context, "A store."));
        assert!(context.words.iter().all(|words| words.weight < 0.5));
        assert_eq!(context.answer.unwrap(), "Salvatore Sanfilippo.");
    }

    #[test]
    fn a_question_that_stands_alone_is_moved_less() {
        let (alone, dependent) = (Context::of(&CONVERSATION, false), Context::of(&CONVERSATION, true));
        assert!(weight_of(&alone, "Who made it?") < weight_of(&dependent, "Who made it?"));
        assert!(alone.answer.is_none() && dependent.answer.is_some());
    }

    #[test]
    fn without_a_conversation_there_is_no_context() {
        let context = Context::of(&[], true);
        assert!(context.words.is_empty() && context.answer.is_none());
        assert!(Context::of(&[Said { by: Speaker::Assistant, text: " " }], true).answer.is_none());
    }

    #[test]
    fn mixed_vectors_have_unit_length_and_lean_to_the_question() {
        let mixed = towards_answer(&[1.0, 0.0], &[0.0, 1.0]);
        assert!((mixed[0] * mixed[0] + mixed[1] * mixed[1] - 1.0).abs() < 1e-6);
        assert!(mixed[0] > mixed[1] && mixed[1] > 0.0);
        assert_eq!(towards_answer(&[0.0], &[0.0]), [0.0]);
    }
}
