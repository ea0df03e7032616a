//! The `[n]` that say which source a sentence comes from.

use std::ops::Range;

/// `[1]`, `[1, 2]` or `[1-3]` in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Bytes, brackets included.
    pub span: Range<usize>,
    /// At least one, as written; whether there is such a source is for others to say.
    pub numbers: Vec<usize>,
}

/// The markers of a text, in order. A link's text (`[1](…)`) is none; code is for the caller to leave out.
pub fn markers(text: &str) -> Vec<Marker> {
    let mut markers = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find('[') {
        let open = from + found;
        from = open + 1;
        let Some(length) = text[from..].find([']', '[']).filter(|end| text[from + end..].starts_with(']')) else {
            continue;
        };
        let span = open..from + length + 1;
        let is_link = text[span.end..].starts_with('(');
        if let Some(numbers) = numbers(&text[from..from + length]).filter(|_| !is_link) {
            from = span.end;
            markers.push(Marker { span, numbers });
        }
    }
    markers
}

/// The text without its markers and the spaces in front of them.
pub fn without_markers(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for marker in markers(text) {
        kept.push_str(text[from..marker.span.start].trim_end_matches(' '));
        from = marker.span.end;
    }
    kept.push_str(&text[from..]);
    kept
}

/// As many as an answer can have sources: more numbers in one pair of brackets cite nothing.
const MOST_NUMBERS: usize = 50;

fn numbers(inside: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in inside.split(',') {
        match part.split_once(['-', '–']) {
            None => numbers.push(number(part)?),
            Some((first, last)) => numbers.extend(number(first)?..=number(last)?),
        }
        if numbers.len() > MOST_NUMBERS {
            return None;
        }
    }
    (!numbers.is_empty()).then_some(numbers)
}

/// Up to three digits: a longer number in brackets is a year or a count, not one of at most 50 sources.
fn number(text: &str) -> Option<usize> {
    let digits = text.trim();
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_numbers_in_brackets() {
        let cases: [(&str, &[&[usize]]); 10] = [
            ("One [1].", &[&[1]]),
            ("Both [1][2], or [1, 2] and [1,2]", &[&[1], &[2], &[1, 2], &[1, 2]]),
            ("From [1-3] and [4–5]", &[&[1, 2, 3], &[4, 5]]),
            ("Missing [17] and [0]", &[&[17], &[0]]),
            ("Not [x], [1a], [], [1984], [ ], [1,], [3-1]", &[]),
            ("Not [0-999] and not [1-30, 1-30]", &[]),
            ("A link [1](https://a.example)", &[]),
            ("Nested [[2]] and open [3", &[&[2]]),
            ("机器学习[1]。", &[&[1]]),
            ("[[[[", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<Vec<usize>> = markers(text).into_iter().map(|marker| marker.numbers).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_text_without_its_markers_reads_on() {
        assert_eq!(without_markers("It learns [1], from data [2][3]. [4]"), "It learns, from data.");
        assert_eq!(without_markers("no [marker] here"), "no [marker] here");
    }
}
