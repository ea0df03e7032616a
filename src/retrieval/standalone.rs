//! Making a question stand alone: deciding whether a message depends on the conversation, and if so putting what it
//! refers to back into it. Rules of English, no model; a message that they do not touch is searched for as it is.
//!
//! Most messages stand alone, and words of earlier turns in front of those make retrieval worse. So the rules fire on
//! plain signs only ([`dependence`]), and what is put in front is one earlier question, not the conversation.

mod dependence;

use dependence::{Dependence, Mention};

use crate::text::topic::topic_of;

/// The question to search with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standalone {
    pub question: String,
    /// The message needs the conversation to be understood.
    pub depends: bool,
    /// Why; empty if it stands alone.
    pub reasons: Vec<&'static str>,
}

impl Standalone {
    /// As a model has put it.
    pub(super) fn rewritten(self, question: &str) -> Self {
        let mut reasons = self.reasons;
        reasons.push("a model has rewritten it");
        Self { question: question.to_owned(), depends: true, reasons }
    }

    /// What to search with where the conversation takes part in the search by weight: the message itself, unless it has
    /// no words of its own or a word of it was replaced. Another question in front would weigh as much as the message.
    pub(super) fn search_text<'a>(&'a self, message: &'a str) -> &'a str {
        let is_in_front = self.question.ends_with(message.trim());
        let says_nothing = self.reasons.contains(&dependence::SAYS_NOTHING_ITSELF);
        if is_in_front && !says_nothing { message } else { &self.question }
    }
}

/// How far back a chain of dependent messages is followed.
const MESSAGES_BACK: usize = 4;

/// A longer message (some 300 words) has words of its own to be searched by, and what its pronouns stand for in it.
const LONGEST_DEPENDENT_BYTES: usize = 2_000;

/// A longer earlier question would outweigh the message; of such, only the last message's own words are used.
const LONGEST_CONTEXT_CHARS: usize = 200;

/// The message as a question of its own. `previous_user_messages` is oldest first and without `message`.
pub(super) fn standalone_question(message: &str, previous_user_messages: &[&str]) -> Standalone {
    let recent = &previous_user_messages[previous_user_messages.len().saturating_sub(MESSAGES_BACK)..];
    let context = recent
        .iter()
        .fold(None, |before: Option<Understood>, previous| Some(understand(previous.trim(), before.as_ref()).1));
    understand(message.trim(), context.as_ref()).0
}

/// A message as later ones may refer to it.
struct Understood {
    /// The message itself, in the user's words.
    message: String,
    /// The same, standing alone.
    question: String,
    /// What it is about, where that is certain.
    topic: Option<String>,
}

fn understand(message: &str, before: Option<&Understood>) -> (Standalone, Understood) {
    let dependence =
        if message.len() <= LONGEST_DEPENDENT_BYTES { Dependence::of(message) } else { Dependence::default() };
    let (question, topic) = match before {
        Some(before) if dependence.depends() => put_back(message, &dependence, before),
        _ => (message.to_owned(), topic_of(message)),
    };
    let depends = before.is_some() && dependence.depends();
    let reasons = if depends { dependence.reasons() } else { Vec::new() };
    let understood = Understood { message: message.to_owned(), question: question.clone(), topic };
    (Standalone { question, depends, reasons }, understood)
}

/// The question that a dependent message asks, and what it is about.
fn put_back(message: &str, dependence: &Dependence, before: &Understood) -> (String, Option<String>) {
    if let Some(topic) = &before.topic {
        // "What is A?" – "What about B?"
        if let Some(instead) = dependence.asked_instead(message)
            && let Some(question) = replace_words(&before.question, topic, instead)
        {
            return (question, Some(instead.to_owned()));
        }
        if let Some(mention) = dependence.replaceable_mention() {
            return (replace(message, mention, topic), Some(topic.clone()));
        }
    }
    let context =
        if before.question.chars().count() <= LONGEST_CONTEXT_CHARS { &before.question } else { &before.message };
    let context: String = context.chars().take(LONGEST_CONTEXT_CHARS).collect();
    let separator = if context.ends_with(['?', '.', '!', '?', '。', '!']) { " " } else { ". " };
    (format!("{context}{separator}{message}"), before.topic.clone())
}

/// `text` with `instead` in the place of `words`, where they first stand as words: the letters of "ai" are also in
/// "explain".
fn replace_words(text: &str, words: &str, instead: &str) -> Option<String> {
    let continues_a_word = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    text.match_indices(words).map(|(start, _)| (&text[..start], &text[start + words.len()..])).find_map(
        |(before, behind)| {
            let stands_alone =
                !continues_a_word(before.chars().next_back()) && !continues_a_word(behind.chars().next());
            stands_alone.then(|| format!("{before}{instead}{behind}"))
        },
    )
}

/// The message with the topic in the place of the word that stands for it, without the connective in front.
fn replace(message: &str, mention: &Mention, topic: &str) -> String {
    let possessive = if mention.possessive { "'s" } else { "" };
    let begun = dependence::without_connective(&message[..mention.span.start]);
    format!("{begun}{topic}{possessive}{}", &message[mention.span.end..])
}

#[cfg(test)]
mod tests;
