//! Takes markers that name no source out of an answer while it is being streamed. A marker may arrive in pieces, so what
//! may become one is held back until that is decided; everything else passes at once.

use super::markers::markers;

/// A marker of so many bytes that has not ended is none: `[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]` is shorter.
const LONGEST_MARKER: usize = 48;

/// One answer on its way.
#[derive(Debug)]
pub struct MarkerFilter {
    /// Sources are numbered from 1 to this.
    sources: usize,
    /// Spaces, and an unfinished marker behind them: not yet passed on.
    held: String,
    code: Code,
    removed: usize,
}

/// Whether the text stands in code, where `argv[1]` cites nothing.
#[derive(Debug, Default)]
struct Code {
    /// Length of the run of backticks that is being read.
    run: usize,
    /// Length of the run that opened the code.
    open: Option<usize>,
}

impl Code {
    fn read(&mut self, character: char) {
        if character == '`' {
            self.run += 1;
            return;
        }
        if self.run > 0 {
            self.open = match self.open {
                Some(open) if open == self.run => None,
                Some(open) => Some(open),
                None => Some(self.run),
            };
            self.run = 0;
        }
        // Inline code ends with its line at the latest, as it is mostly meant; a fence does not.
        if character == '\n' && self.open.is_some_and(|open| open < 3) {
            self.open = None;
        }
    }

    fn is_open(&self) -> bool {
        self.open.is_some() || self.run > 0
    }
}

impl MarkerFilter {
    pub fn new(sources: usize) -> Self {
        Self { sources, held: String::new(), code: Code::default(), removed: 0 }
    }

    /// What may be shown now that `delta` has come; possibly nothing.
    pub fn push(&mut self, delta: &str) -> String {
        let mut shown = String::with_capacity(delta.len() + self.held.len());
        for character in delta.chars() {
            self.decide(character, &mut shown);
            self.code.read(character);
            match character {
                '[' if !self.code.is_open() => {
                    // `[[2]]`: the inner one may be a marker, the outer bracket is none.
                    if self.held.contains('[') {
                        shown.push_str(&self.held);
                        self.held.clear();
                    }
                    self.held.push('[');
                }
                ' ' if !self.held.contains('[') => self.held.push(' '),
                _ if self.held.is_empty() => shown.push(character),
                _ if self.held.contains('[') => {
                    self.held.push(character);
                    let may_go_on = matches!(character, '0'..='9' | ' ' | ',' | '-' | '–' | ']');
                    if !may_go_on || self.held.len() > LONGEST_MARKER {
                        shown.push_str(&self.held);
                        self.held.clear();
                    }
                }
                _ => {
                    shown.push_str(&self.held);
                    self.held.clear();
                    shown.push(character);
                }
            }
        }
        shown
    }

    /// What was held back at the end of the answer, and how many numbers without a source were removed in all.
    pub fn finish(mut self) -> (String, usize) {
        let mut shown = String::new();
        self.decide('\n', &mut shown);
        shown.push_str(&self.held);
        (shown, self.removed)
    }

    /// A marker that has ended is kept, shortened or removed once the character behind it is known: `[1](…)` is a link.
    fn decide(&mut self, next: char, shown: &mut String) {
        if !self.held.ends_with(']') {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let Some(marker) = markers(&held).into_iter().next().filter(|_| next != '(') else {
            shown.push_str(&held);
            return;
        };
        let known: Vec<String> =
            marker.numbers.iter().filter(|n| (1..=self.sources).contains(n)).map(ToString::to_string).collect();
        self.removed += marker.numbers.len() - known.len();
        if known.len() == marker.numbers.len() {
            shown.push_str(&held);
        } else if !known.is_empty() {
            shown.push_str(&held[..marker.span.start]);
            shown.push_str(&format!("[{}]", known.join(", ")));
        }
        // Removed whole, it takes the spaces in front of it along.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(deltas: &[&str]) -> (String, usize) {
        let mut filter = MarkerFilter::new(2);
        let mut shown: String = deltas.iter().map(|delta| filter.push(delta)).collect();
        let (rest, removed) = filter.finish();
        shown.push_str(&rest);
        (shown, removed)
    }

    const CASES: [(&str, &str, usize); 15] = [
        ("It learns [1].", "It learns [1].", 0),
        ("It learns [3].", "It learns.", 1),
        ("It learns [1][7] well [2]", "It learns [1] well [2]", 1),
        ("Both [1, 5].", "Both [1].", 1),
        ("All [1-4].", "All [1, 2].", 2),
        ("None [0] at the end [99]", "None at the end", 2),
        ("A link [9](https://a.example) stays.", "A link [9](https://a.example) stays.", 0),
        ("A year [1984], a list [x], an open [9", "A year [1984], a list [x], an open [9", 0),
        ("`argv[9]` and ``a ` [9]`` are code [9].", "`argv[9]` and ``a ` [9]`` are code.", 1),
        ("```\na[9]\n```\nafter [9]", "```\na[9]\n```\nafter", 1),
        ("an odd ` tick\nthen [9].", "an odd ` tick\nthen.", 1),
        ("nested [[9]]", "nested []", 1),
        ("two  spaces [1]  and   more ", "two  spaces [1]  and   more ", 0),
        ("机器学习[9]。", "机器学习。", 1),
        ("[9]", "", 1),
    ];

    #[test]
    fn markers_without_a_source_are_removed_and_counted() {
        for (answer, expected, removed) in CASES {
            assert_eq!(filtered(&[answer]), (expected.to_owned(), removed), "{answer}");
        }
    }

    #[test]
    fn it_makes_no_difference_where_the_answer_is_cut() {
        for (answer, expected, removed) in CASES {
            for cut in answer.char_indices().map(|(index, _)| index) {
                let (before, after) = answer.split_at(cut);
                assert_eq!(filtered(&[before, after]), (expected.to_owned(), removed), "{before:?} {after:?}");
            }
            let characters: Vec<String> = answer.chars().map(String::from).collect();
            let deltas: Vec<&str> = characters.iter().map(String::as_str).collect();
            assert_eq!(filtered(&deltas), (expected.to_owned(), removed), "{answer}");
        }
    }

    #[test]
    fn what_cannot_become_a_marker_is_shown_at_once() {
        let mut filter = MarkerFilter::new(2);
        assert_eq!(filter.push("It learns"), "It learns");
        assert_eq!(filter.push(" from [data"), " from [data");
        assert_eq!(filter.push("] [1"), "]");
        assert_eq!(filter.push("] well"), " [1] well");
    }
}
