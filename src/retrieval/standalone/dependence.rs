//! The signs by which a message depends on what was said before.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use unicode_segmentation::UnicodeSegmentation;

use crate::text::words::{is_function_word, stem};

/// Why a message depends on the conversation. Each sign is independent of the others.
#[derive(Debug, Default)]
pub(super) struct Dependence {
    /// A word that stands for something that the message does not name.
    mention: Option<Mention>,
    /// "And …", "What about …": continues a question.
    connective: bool,
    /// "Why?", "Any examples?": nothing to search for.
    says_nothing_itself: bool,
    /// "In winter?": only the circumstances of a question.
    only_circumstances: bool,
    /// "Great, and …": an answer to the answer.
    acknowledges: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Mention {
    /// Bytes of the message.
    pub(super) span: Range<usize>,
    /// `its`, `their`.
    pub(super) possessive: bool,
    /// It stands alone, so that a noun phrase can take its place: "it", but not "this" of "this method".
    replaceable: bool,
}

pub(super) const SAYS_NOTHING_ITSELF: &str = "it has no words of its own to search for";

/// A message with more content words of its own than these is searched for by them, whatever it begins with.
const FEW_CONTENT_WORDS: usize = 2;

impl Dependence {
    pub(super) fn of(message: &str) -> Self {
        let words = words_of(message);
        let own = words.iter().filter(|word| word.has_meaning()).count();
        let begins_with_preposition = words.first().is_some_and(|first| PREPOSITIONS.contains(&first.lower.as_str()));
        Self {
            mention: unnamed_mention(&words),
            connective: asks_instead(&words) || (begins_with_connective(&words) && own <= FEW_CONTENT_WORDS),
            says_nothing_itself: own == 0 && !words.is_empty(),
            only_circumstances: begins_with_preposition && own <= FEW_CONTENT_WORDS && words.len() <= 4,
            acknowledges: acknowledges(&words),
        }
    }

    pub(super) fn depends(&self) -> bool {
        !self.reasons().is_empty()
    }

    pub(super) fn reasons(&self) -> Vec<&'static str> {
        let signs = [
            (self.mention.is_some(), "a pronoun stands for something said before"),
            (self.connective, "it continues the question before"),
            (self.says_nothing_itself, SAYS_NOTHING_ITSELF),
            (self.only_circumstances, "it gives only the circumstances of a question"),
            (self.acknowledges, "it takes up the answer before"),
        ];
        signs.into_iter().filter(|(found, _)| *found).map(|(_, reason)| reason).collect()
    }

    pub(super) fn replaceable_mention(&self) -> Option<&Mention> {
        self.mention.as_ref().filter(|mention| mention.replaceable)
    }

    /// `B` of "What about B?".
    pub(super) fn asked_instead<'message>(&self, message: &'message str) -> Option<&'message str> {
        let words = words_of(message);
        if !asks_instead(&words) || self.mention.is_some() {
            return None;
        }
        let about = words.iter().find(|word| word.lower == "about")?;
        let instead = message[about.span.end..].trim().trim_end_matches(['?', '.', '!', ' ']);
        (!instead.is_empty()).then_some(instead)
    }
}

/// The beginning of a message without "and", "but", "great" in front.
pub(super) fn without_connective(begun: &str) -> &str {
    let words = words_of(begun);
    let acknowledged = acknowledges(&words);
    let leads_over = |word: &&Word| {
        let lower = word.lower.as_str();
        CONNECTIVES.contains(&lower) || (acknowledged && ACKNOWLEDGEMENTS.contains(&lower))
    };
    match words.get(words.iter().take_while(leads_over).count()) {
        Some(first) => &begun[first.span.start..],
        None => "",
    }
}

const CONNECTIVES: [&str; 4] = ["and", "but", "or", "then"];

const PREPOSITIONS: [&str; 11] =
    ["in", "on", "at", "for", "with", "without", "from", "by", "during", "after", "before"];

/// Subjects and objects. They never mean something named in their own clause ("Redis stops it" is not about Redis), but
/// may mean something named in an earlier one ("What is Redis and who made it").
const PRONOUNS: [&str; 6] = ["it", "they", "them", "he", "she", "him"];

/// The pronoun that is also a name when it is written in capitals: information technology.
const NAME_LIKE_A_PRONOUN: &str = "IT";

/// May mean something named in their own clause: "Does Redis lose its data?".
const POSSESSIVES: [&str; 5] = ["its", "their", "his", "her", "theirs"];

const DEMONSTRATIVES: [&str; 4] = ["this", "that", "these", "those"];

/// Words after which "that" points at something instead of beginning a clause.
const BEFORE_POINTING_THAT: [&str; 26] = [
    "if", "whether", "when", "because", "is", "was", "are", "does", "did", "do", "can", "could", "will", "would",
    "should", "about", "of", "for", "with", "like", "than", "after", "before", "at", "by", "to",
];

/// Beside these "there" says that something exists; elsewhere it points at a place.
const BE: [&str; 6] = ["is", "are", "was", "were", "be", "been"];

/// What people say to an answer before they ask on.
const ACKNOWLEDGEMENTS: [&str; 15] = [
    "ok", "okay", "alright", "thanks", "great", "perfect", "awesome", "cool", "nice", "good", "fine", "yes", "yeah",
    "no", "sure",
];

/// Sounds between words, mostly in what was dictated.
const FILLERS: [&str; 10] = ["uh", "um", "umm", "ummm", "hm", "hmm", "oh", "ah", "er", "hh"];

/// What begins a new clause, besides punctuation.
const CLAUSE_BEGINNINGS: [&str; 10] = ["and", "but", "or", "if", "when", "because", "while", "although", "since", "so"];

/// "this week", "that day": a time, not something said.
const TIMES: [&str; 10] =
    ["week", "weekend", "year", "month", "day", "morning", "afternoon", "evening", "season", "century"];

/// "Is it possible to …": an "it" that stands for the clause that follows.
const OF_EMPTY_IT: [&str; 18] = [
    "possible",
    "necessary",
    "important",
    "true",
    "safe",
    "better",
    "best",
    "legal",
    "ok",
    "okay",
    "worth",
    "take",
    "takes",
    "allowed",
    "required",
    "recommended",
    "normal",
    "easy",
];

/// Words that ask about something without naming it: with these alone there is nothing to search for. As stems.
static GENERIC: LazyLock<HashSet<String>> = LazyLock::new(|| {
    "example detail difference reason advantage disadvantage benefit drawback pro con step way kind type sort name list cost \
     price time thing part point information info summary summarize word sentence mean explain elaborate show say know think \
     want need like work use go continue repeat happen help add long short old far often big large high tall good bad sure \
     really correct true right wrong exactly important matter simple simply next previous first second third last whole yes yeah \
     ok okay two three various different same specific possible available best better great perfect awesome cool nice fine alright"
        .split_whitespace()
        .map(stem)
        .collect()
});

struct Word {
    lower: String,
    span: Range<usize>,
    /// A comma, full stop or the like stands in front of it.
    after_punctuation: bool,
    is_name_like_a_pronoun: bool,
}

impl Word {
    fn has_meaning(&self) -> bool {
        !self.is_function_word() && !GENERIC.contains(&stem(&self.lower))
    }

    fn is_function_word(&self) -> bool {
        is_function_word(&self.lower) && !self.is_name_like_a_pronoun
    }

    fn is_pronoun(&self) -> bool {
        PRONOUNS.contains(&self.lower.as_str()) && !self.is_name_like_a_pronoun
    }
}

fn words_of(message: &str) -> Vec<Word> {
    // Where everything is in capitals, they say nothing.
    let capitals_count = message.contains(char::is_lowercase);
    let mut end_of_previous = 0;
    let words = message.unicode_word_indices().map(|(start, word)| {
        let word = without_contracted_verb(word);
        let span = start..start + word.len();
        let between = &message[std::mem::replace(&mut end_of_previous, span.end)..start];
        let after_punctuation = between.contains([',', ';', ':', '.', '?', '!', '(', '—', '–']);
        let is_name_like_a_pronoun = capitals_count && word == NAME_LIKE_A_PRONOUN;
        Word { lower: word.to_lowercase().replace('’', "'"), span, after_punctuation, is_name_like_a_pronoun }
    });
    words.filter(|word| !FILLERS.contains(&word.lower.as_str())).collect()
}

/// "it" of "it's", "that" of "that's".
fn without_contracted_verb(word: &str) -> &str {
    let Some((first, _)) = word.split_once(['\'', '’']) else { return word };
    let lower = first.to_lowercase();
    let contracted = PRONOUNS.contains(&lower.as_str()) || DEMONSTRATIVES.contains(&lower.as_str());
    if contracted { first } else { word }
}

fn acknowledges(words: &[Word]) -> bool {
    let is_acknowledgement = |word: &Word| ACKNOWLEDGEMENTS.contains(&word.lower.as_str());
    let [first, next, ..] = words else { return false };
    // "Great Britain", "No code tools": a word of a name.
    let leads_over = next.after_punctuation || next.is_function_word() || is_acknowledgement(next);
    is_acknowledgement(first) && leads_over && !words.iter().all(is_acknowledgement)
}

fn begins_with_connective(words: &[Word]) -> bool {
    words.len() > 1 && CONNECTIVES.contains(&words[0].lower.as_str())
}

/// "What about …", "How about …", also after "and".
fn asks_instead(words: &[Word]) -> bool {
    let words: Vec<&str> = words.iter().map(|word| word.lower.as_str()).collect();
    let words = words.strip_prefix(&["and"]).or(words.strip_prefix(&["but"])).unwrap_or(&words);
    matches!(words, ["what" | "how", "about", _, ..])
}

/// The first word that stands for something which the message itself does not name.
fn unnamed_mention(words: &[Word]) -> Option<Mention> {
    let mut named_in_earlier_clause = false;
    let mut named_in_this_clause = false;
    for (index, word) in words.iter().enumerate() {
        let begins_clause = word.after_punctuation || CLAUSE_BEGINNINGS.contains(&word.lower.as_str());
        if begins_clause {
            named_in_earlier_clause |= named_in_this_clause;
            named_in_this_clause = false;
        }
        let lower = word.lower.as_str();
        let next = words.get(index + 1);
        let before_noun = next.is_some_and(|next| !next.after_punctuation && !next.is_function_word());
        let mention = |possessive, replaceable| Some(Mention { span: word.span.clone(), possessive, replaceable });
        if word.is_pronoun() && !named_in_earlier_clause && !is_empty_it(words, index) {
            return mention(false, true);
        }
        if POSSESSIVES.contains(&lower) && !named_in_earlier_clause && !named_in_this_clause {
            return mention(true, true);
        }
        if DEMONSTRATIVES.contains(&lower) && !named_in_earlier_clause && points(words, index) {
            return mention(false, !before_noun || is_predicate(words, index));
        }
        if lower == "there" && !named_in_earlier_clause && is_a_place(words, index) {
            return mention(false, false);
        }
        if is_elliptic_noun(words, index) {
            return mention(false, false);
        }
        named_in_this_clause |= word.has_meaning();
    }
    None
}

/// Whether a demonstrative points at something said before.
fn points(words: &[Word], index: usize) -> bool {
    let next = words.get(index + 1).map(|word| word.lower.as_str());
    let previous = index.checked_sub(1).and_then(|previous| words.get(previous)).map(|word| word.lower.as_str());
    if next.is_some_and(|next| TIMES.contains(&next) || next == "who") {
        return false;
    }
    match words[index].lower.as_str() {
        "that" => next.is_none() || previous.is_none_or(|previous| BEFORE_POINTING_THAT.contains(&previous)),
        _ => true,
    }
}

/// "Can I park there?", but not "Is there a limit?".
fn is_a_place(words: &[Word], index: usize) -> bool {
    let is_be = |index: usize| words.get(index).is_some_and(|word| BE.contains(&word.lower.as_str()));
    !is_be(index + 1) && !index.checked_sub(1).is_some_and(is_be)
}

/// Whether the one word behind a demonstrative is said of it: "Is that safe?".
fn is_predicate(words: &[Word], index: usize) -> bool {
    let behind_be = index > 0 && matches!(words[index - 1].lower.as_str(), "is" | "are" | "was" | "were");
    behind_be && index + 2 == words.len()
}

fn is_empty_it(words: &[Word], index: usize) -> bool {
    let after = &words[index + 1..];
    let Some(adjective) = after.iter().take(3).position(|word| OF_EMPTY_IT.contains(&word.lower.as_str())) else {
        return false;
    };
    words[index].lower == "it"
        && after[adjective + 1..].iter().any(|word| matches!(word.lower.as_str(), "to" | "that" | "if" | "for"))
}

/// "which one", "the other ones", "the latter".
fn is_elliptic_noun(words: &[Word], index: usize) -> bool {
    let previous = index.checked_sub(1).map(|previous| words[previous].lower.as_str());
    match words[index].lower.as_str() {
        "one" | "ones" => {
            matches!(
                previous,
                Some("which" | "the" | "other" | "first" | "second" | "third" | "last" | "that" | "this")
            ) && words
                .get(index + 1)
                .is_none_or(|next| next.after_punctuation || next.is_function_word() || next.lower.ends_with('s'))
        }
        "former" | "latter" | "others" => previous == Some("the"),
        _ => false,
    }
}
