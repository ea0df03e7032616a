//! The sentence with which an answer says that the documents do not contain one.

use crate::text::markers::markers;

/// What the extractive answerer says, and what the prompt tells a model to say.
pub const NOT_IN_THE_DOCUMENTS: &str = "The documents do not contain an answer to this question.";

/// Whether a model's answer is that sentence: as written or nearly so, and citing nothing.
///
/// An answer that cites a source found something, whatever else it says.
pub fn is_abstention(answer: &str) -> bool {
    markers(answer).is_empty() && words(answer).contains(&words(NOT_IN_THE_DOCUMENTS))
}

/// Lower-case words between single spaces: models vary quotation marks, capitals and the full stop.
fn words(text: &str) -> String {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreed_sentence_is_an_abstention_in_the_variations_of_models() {
        assert!(is_abstention(NOT_IN_THE_DOCUMENTS));
        assert!(is_abstention("\"the documents do not contain an answer to this question\""));
        assert!(is_abstention("**The documents do not contain an answer to this question.**\n"));
        assert!(is_abstention("Sorry. The documents do not contain an answer to this question."));
    }

    #[test]
    fn an_answer_that_cites_or_says_something_else_is_none() {
        assert!(!is_abstention("The TTL is one hour [1]. The documents do not contain an answer to this question."));
        assert!(!is_abstention("The documents do not contain spelling mistakes."));
        assert!(!is_abstention(""));
    }
}
