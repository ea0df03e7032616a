//! How the chosen sentences become an answer.

use super::candidates::ends_a_sentence;
use crate::text::passage::UnitKind;

/// One sentence of the answer, as it stands in its source without Markdown marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    /// The source's number.
    pub(super) n: usize,
    /// Position among the source's units.
    pub(super) unit: usize,
    pub(super) kind: UnitKind,
    pub(super) text: String,
}

impl Sentence {
    /// A list item, a table row, or a line that does not end like a sentence: it cannot be followed on the same line.
    fn is_line(&self) -> bool {
        self.kind != UnitKind::Sentence || !ends_a_sentence(&self.text)
    }
}

/// The pieces of the answer, one for each sentence: prose runs on, lines become a list.
pub(super) fn compose(sentences: Vec<Sentence>) -> Vec<String> {
    let is_alone = sentences.len() == 1;
    let mut before: Option<bool> = None;
    let pieces = sentences.into_iter().map(|sentence| {
        let is_line = sentence.is_line();
        let separator = match before.replace(is_line) {
            None => "",
            Some(false) if !is_line => " ",
            Some(true) if is_line => "\n",
            Some(_) => "\n\n",
        };
        let bullet = if is_line && !is_alone { "- " } else { "" };
        format!("{separator}{bullet}{} [{}]", sentence.text, sentence.n)
    });
    pieces.collect()
}
