//! Counting the tokens of many overlapping pieces of one text.
//!
//! The splitter asks for the size of a passage again and again while it looks for its end. Tokenizing each time would take
//! longer than embedding, so a text is counted as the sum of its words, each counted once. For WordPiece that is exact,
//! because it never joins words; for other tokenizers it is at least as many as they need.

use std::cell::RefCell;
use std::collections::HashMap;

use text_splitter::ChunkSizer;

/// WordPiece reads a longer word as one unknown token, so that whole pages without a space would count as nothing.
const LONGEST_WORD: usize = 100;
/// Characters to a token, for such words; English words have four to five.
const LONG_WORD_CHARACTERS: usize = 4;
/// So much of a word is tokenized at a time: a tokenizer takes many times as much memory as its text, and a word may be
/// a whole file, of hexadecimal digits for instance.
const TOKENIZED_AT_ONCE: usize = 4096;

/// Words kept with their counts; a large text in one language has fewer.
const REMEMBERED: usize = 100_000;

pub(super) struct TokenCounter<'a> {
    count: &'a dyn Fn(&str) -> usize,
    words: RefCell<HashMap<Box<str>, usize>>,
}

impl<'a> TokenCounter<'a> {
    pub(super) fn new(count: &'a dyn Fn(&str) -> usize) -> Self {
        Self { count, words: RefCell::default() }
    }

    pub(super) fn count(&self, text: &str) -> usize {
        words(text).map(|word| self.count_word(word)).sum()
    }

    fn count_word(&self, word: &str) -> usize {
        if let Some(tokens) = self.words.borrow().get(word) {
            return *tokens;
        }
        let mut tokens: usize = slices(word).map(|slice| (self.count)(slice)).sum();
        if word.len() > LONGEST_WORD {
            tokens = tokens.max(word.trim_start().chars().count().div_ceil(LONG_WORD_CHARACTERS));
        } else {
            let mut words = self.words.borrow_mut();
            if words.len() >= REMEMBERED {
                words.clear();
            }
            words.insert(word.into(), tokens);
        }
        tokens
    }
}

impl ChunkSizer for TokenCounter<'_> {
    fn size(&self, chunk: &str) -> usize {
        self.count(chunk)
    }
}

/// The word in slices that are not too long to tokenize; most words are one.
fn slices(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let (slice, after) = rest.split_at(rest.floor_char_boundary(TOKENIZED_AT_ONCE));
        rest = after;
        (!slice.is_empty()).then_some(slice)
    })
}

/// A text as words, each with the white space before it. Punctuation and CJK characters are words of their own, as
/// they are to the tokenizer.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut characters = rest.char_indices().skip_while(|(_, character)| character.is_whitespace());
        let end = match characters.next() {
            None => rest.len(),
            Some((at, first)) if stands_alone(first) => at + first.len_utf8(),
            Some(_) => characters
                .find(|(_, character)| character.is_whitespace() || stands_alone(*character))
                .map_or(rest.len(), |(at, _)| at),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

fn stands_alone(character: char) -> bool {
    character.is_ascii_punctuation()
        || matches!(
            character,
            '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff0f}' | '\u{20000}'..='\u{323af}'
        )
}
