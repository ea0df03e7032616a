//! Where sentences begin and end in running text: Unicode's sentence boundaries (UAX #29), corrected where they break
//! after an abbreviation, an initial or inside a quotation.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::words::{is_function_word, lower_words};

/// The sentences of one paragraph, without the space around them. A line break inside it is a space: text is wrapped
/// where lines end, not where sentences do.
pub fn sentence_spans(paragraph: &str) -> Vec<Range<usize>> {
    let unwrapped = line_breaks_as_spaces(paragraph);
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (start, piece) in unwrapped.split_sentence_bound_indices() {
        let end = start + piece.len();
        match spans.last_mut() {
            Some(last) if continues(unwrapped[last.clone()].trim_end(), piece) => last.end = end,
            _ => spans.push(start..end),
        }
    }
    spans.into_iter().map(|span| trim(paragraph, span)).filter(|span| !span.is_empty()).collect()
}

/// The span without the white space at its ends.
pub(super) fn trim(text: &str, span: Range<usize>) -> Range<usize> {
    let part = &text[span.clone()];
    let start = span.start + (part.len() - part.trim_start().len());
    start..(start + part.trim().len())
}

/// UAX #29 always breaks at a line break. Replaced byte by byte, so that offsets stay.
fn line_breaks_as_spaces(paragraph: &str) -> String {
    paragraph.replace(['\n', '\r'], " ").replace('\u{85}', "  ").replace(['\u{2028}', '\u{2029}'], "   ")
}

/// Whether `next` belongs to the sentence that seems to end with `before`.
fn continues(before: &str, next: &str) -> bool {
    let Some(first) = next.chars().find(|c| !c.is_whitespace()) else { return true };
    if before.is_empty() {
        return true;
    }
    // A closing quotation mark, or a mark without words.
    if !next.chars().any(char::is_alphanumeric) {
        return true;
    }
    // "Why?" he asked: a sentence does not begin with a small letter.
    first.is_lowercase() || (before.ends_with('.') && ends_with_abbreviation(before, next))
}

fn ends_with_abbreviation(before: &str, next: &str) -> bool {
    /// Written before a name or a number, or inside a sentence.
    const ABBREVIATIONS: [&str; 34] = [
        "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "gen", "sen", "rep", "gov", "capt", "lt", "col", "sgt",
        "rev", "mt", "no", "nr", "vol", "fig", "sec", "ch", "eq", "pp", "ed", "vs", "cf", "ca", "approx", "e.g", "i.e",
        "al",
    ];
    let divides = |c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '“' | '-' | '–' | '—' | '/');
    let mut tokens = before.trim_end_matches('.').rsplit(divides);
    let last = tokens.next().unwrap_or_default();
    if ABBREVIATIONS.contains(&last.to_lowercase().as_str()) {
        // "No. 5" and "Fig. 3", but "He said no. They left."
        let before_a_number = matches!(last.to_lowercase().as_str(), "no" | "nr" | "ch" | "sec" | "ed" | "al");
        return !before_a_number || next.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '(');
    }
    let next_is_a_name = lower_words(next).first().is_none_or(|word| !is_function_word(word));
    // "U.S. Army", but "in the U.S. The army".
    if is_dotted(last) {
        return next_is_a_name;
    }
    // "J. R. R. Tolkien", "George W. Bush", but "vitamin C. It".
    let is_initial = last.chars().count() == 1 && last.chars().all(char::is_uppercase);
    let previous = tokens.find(|token| !token.is_empty());
    let in_a_name =
        previous.is_none_or(|previous| previous.starts_with(char::is_uppercase)) || begins_with_initial(next);
    is_initial && next_is_a_name && in_a_name
}

/// `R. R. Tolkien`
fn begins_with_initial(text: &str) -> bool {
    let mut characters = text.trim_start().chars();
    characters.next().is_some_and(char::is_uppercase) && characters.next() == Some('.')
}

/// `U.S` or `a.m`: letters with dots between them.
fn is_dotted(token: &str) -> bool {
    token.contains('.')
        && token.split('.').all(|part| part.chars().count() == 1 && part.chars().all(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(paragraph: &str) -> Vec<&str> {
        sentence_spans(paragraph).into_iter().map(|span| &paragraph[span]).collect()
    }

    #[test]
    fn sentences_end_at_their_marks() {
        let cases: [(&str, &[&str]); 9] = [
            ("One. Two! Three? Four", &["One.", "Two!", "Three?", "Four"]),
            ("It costs 3.50 euros. Cheap.", &["It costs 3.50 euros.", "Cheap."]),
            ("A line\nthat wraps. And\r\nanother.", &["A line\nthat wraps.", "And\r\nanother."]),
            ("机器学习是什么?它从数据中学习。好", &["机器学习是什么?", "它从数据中学习。", "好"]),
            ("He asked \"Why?\" and left. \"Go!\" She went.", &["He asked \"Why?\" and left.", "\"Go!\"", "She went."]),
            ("Wait... what? Yes…", &["Wait... what?", "Yes…"]),
            ("(It holds.) So there.", &["(It holds.)", "So there."]),
            ("  \n ", &[]),
            ("", &[]),
        ];
        for (paragraph, expected) in cases {
            assert_eq!(sentences(paragraph), expected, "{paragraph:?}");
        }
    }

    #[test]
    fn abbreviations_and_initials_do_not_end_sentences() {
        let whole = [
            "Dr. Smith met Mrs. Jones.",
            "The U.S. Army and J. R. R. Tolkien agree.",
            "George W. Bush spoke.",
            "See Fig. 3 and No. 5, e.g. Section 2.",
            "Use a store, i.e. Redis, approx. Two hours.",
            "Vaswani et al. (2017) show it.",
            "A third church, Trinity-St. Paul's, replaced it.",
        ];
        for sentence in whole {
            assert_eq!(sentences(sentence), [sentence]);
        }
    }

    #[test]
    fn what_only_looks_like_an_abbreviation_ends_a_sentence() {
        let two = [
            "It stayed in the U.S. The army left.",
            "He takes vitamin C. It helps.",
            "She said no. They left.",
            "It begins at 9 a.m. The doors open earlier.",
        ];
        for sentence in two {
            assert_eq!(sentences(sentence).len(), 2, "{sentence}");
        }
    }
}
