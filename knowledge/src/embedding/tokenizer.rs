//! The WordPiece tokenizer of all-MiniLM-L6-v2: counts tokens, cuts texts into windows that fit a model.

use std::ops::Range;
use std::sync::Arc;

use tokenizers::Encoding;

use super::{Error, Source};

static DEFINITION: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/all-MiniLM-L6-v2/tokenizer.json"));

/// Counts the tokens of a text. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer {
    word_pieces: Arc<tokenizers::Tokenizer>,
    /// [CLS] and [SEP] around every sequence.
    start: u32,
    end: u32,
    unknown: u32,
    counting: Counting,
}

#[derive(Clone, Copy)]
enum Counting {
    /// The model's own tokens.
    Exact,
    /// For a model whose tokenizer is not known. Byte-level tokenizers need about as many tokens as WordPiece where the
    /// text is ASCII words, and never more than one per byte.
    Cautious,
}

impl Tokenizer {
    /// For all-MiniLM-L6-v2 itself.
    pub fn exact() -> Result<Self, Error> {
        Self::load(Counting::Exact).map_err(Error::Model)
    }

    /// For any other model: errs on the high side.
    pub fn cautious() -> Result<Self, Error> {
        Self::load(Counting::Cautious).map_err(Error::Model)
    }

    /// The same tables for any other model.
    pub fn to_cautious(&self) -> Self {
        Self { counting: Counting::Cautious, ..self.clone() }
    }

    fn load(counting: Counting) -> Result<Self, Source> {
        let mut word_pieces = tokenizers::Tokenizer::from_bytes(DEFINITION)?;
        // The published file cuts at 128 tokens and pads up to them.
        word_pieces.with_truncation(None)?.with_padding(None);
        let id = |token: &str| word_pieces.token_to_id(token).ok_or_else(|| format!("the tokenizer has no {token}"));
        let (start, end, unknown) = (id("[CLS]")?, id("[SEP]")?, id("[UNK]")?);
        Ok(Self { word_pieces: Arc::new(word_pieces), start, end, unknown, counting })
    }

    /// Tokens of the text, without the special ones around a sequence.
    pub fn count(&self, text: &str) -> usize {
        match self.counting {
            Counting::Exact => self.encode(text).len(),
            Counting::Cautious => self.cautious_costs(text).iter().map(|(_, cost)| cost).sum(),
        }
    }

    /// The text as token ids in windows of at most `max_tokens`, special tokens included. An empty text is one window.
    pub(super) fn sequences(&self, text: &str, max_tokens: usize) -> Vec<Vec<u32>> {
        let sequence = |ids: &[u32]| [&[self.start], ids, &[self.end]].concat();
        let encoding = self.encode(text);
        if encoding.is_empty() {
            return vec![sequence(&[])];
        }
        encoding.get_ids().chunks(max_tokens - 2).map(sequence).collect()
    }

    /// One text with each of the others as a sequence of at most `max_tokens`, special tokens included, and where the
    /// second begins in all of them. The first is cut to a third of it, the second to what is left.
    pub(crate) fn pairs<'a>(
        &self,
        first: &str,
        seconds: impl IntoIterator<Item = &'a str>,
        max_tokens: usize,
    ) -> (Vec<Vec<u32>>, usize) {
        let first = self.encode(first);
        let first = &first.get_ids()[..first.len().min(max_tokens / 3)];
        let room = max_tokens - first.len() - 3;
        let sequence = |second: &str| {
            let second = self.encode(second);
            let second = &second.get_ids()[..second.len().min(room)];
            [&[self.start], first, &[self.end], second, &[self.end]].concat()
        };
        (seconds.into_iter().map(sequence).collect(), first.len() + 2)
    }

    /// The text as consecutive byte ranges of at most `max_tokens` each, counted cautiously, with their tokens. An empty
    /// text is one range.
    pub(super) fn windows(&self, text: &str, max_tokens: usize) -> Vec<(Range<usize>, usize)> {
        let mut windows = Vec::new();
        let (mut start, mut tokens) = (0, 0);
        for (position, cost) in self.cautious_costs(text) {
            if tokens > 0 && tokens + cost > max_tokens {
                windows.push((start..position, tokens));
                (start, tokens) = (position, 0);
            }
            tokens += cost;
        }
        windows.push((start..text.len(), tokens));
        windows
    }

    /// Where the parts of a text begin that are not divided, and the tokens each may need: known ASCII words need one,
    /// any other character its bytes, the one space before a word nothing.
    fn cautious_costs(&self, text: &str) -> Vec<(usize, usize)> {
        let characters = |from: usize, to: usize| {
            text[from..to].char_indices().map(move |(offset, character)| (from + offset, character.len_utf8()))
        };
        let encoding = self.word_pieces.encode(text, false).expect("WordPiece has a token for everything");
        let mut costs = Vec::with_capacity(encoding.len());
        let mut position = 0;
        for (&id, &(start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            // The tokens of one decomposed character, a Hangul syllable say, all span that character.
            let start = start.max(position);
            if end <= start {
                continue;
            }
            costs.extend(characters(position, start).skip(1));
            if id != self.unknown && text[start..end].is_ascii() {
                costs.push((start, 1));
            } else {
                costs.extend(characters(start, end));
            }
            position = end;
        }
        costs.extend(characters(position, text.len()).skip(1));
        costs
    }

    fn encode(&self, text: &str) -> Encoding {
        self.word_pieces.encode_fast(text, false).expect("WordPiece has a token for everything")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_counted_whole() {
        let tokenizer = Tokenizer::exact().unwrap();
        assert_eq!(tokenizer.count(&"harbour ".repeat(1000)), 1000);
        assert_eq!(tokenizer.count(""), 0);
    }

    #[test]
    fn sequences_hold_every_token_between_their_marks() {
        let tokenizer = Tokenizer::exact().unwrap();
        let text = "The pilot measured the eastern beacon. ".repeat(50);
        let sequences = tokenizer.sequences(&text, 256);
        assert!(sequences.iter().all(|ids| ids.len() <= 256 && ids[0] == 101 && ids.ends_with(&[102])));
        let inner: Vec<u32> = sequences.iter().flat_map(|ids| &ids[1..ids.len() - 1]).copied().collect();
        assert_eq!(inner, tokenizer.encode(&text).get_ids());
        assert_eq!(tokenizer.sequences("", 256), vec![vec![101, 102]]);
    }

    #[test]
    fn a_pair_is_cut_where_it_is_too_long() {
        let tokenizer = Tokenizer::exact().unwrap();
        let (sequences, second) = tokenizer.pairs("Rye bread?", ["Dark.", ""], 256);
        let ids = |text: &str| tokenizer.encode(text).get_ids().to_vec();
        assert_eq!(sequences[0], [vec![101], ids("Rye bread?"), vec![102], ids("Dark."), vec![102]].concat());
        assert_eq!(sequences[0][second..], [ids("Dark."), vec![102]].concat());
        assert_eq!(sequences[1], [vec![101], ids("Rye bread?"), vec![102, 102]].concat());
        let (sequences, second) = tokenizer.pairs(&"bread ".repeat(500), [&*"dark ".repeat(500)], 256);
        assert_eq!((sequences[0].len(), second), (256, 87));
        assert_eq!(tokenizer.pairs("", [""], 256), (vec![vec![101, 102, 102]], 2));
    }

    #[test]
    fn windows_cover_any_text_and_stay_within_the_limit() {
        let tokenizer = Tokenizer::cautious().unwrap();
        let texts = [
            "plain words ".repeat(100),
            "机器学习".repeat(100),
            "한국어 문장 ".repeat(50),
            "x".repeat(1000),
            "\u{200b}\u{0}".repeat(100),
            " ".repeat(500),
            String::new(),
        ];
        for text in texts {
            let windows = tokenizer.windows(&text, 50);
            let covered: String = windows.iter().map(|(bytes, _)| &text[bytes.clone()]).collect();
            assert_eq!(covered, text);
            assert!(windows.iter().all(|(_, tokens)| *tokens <= 50), "{windows:?}");
            assert_eq!(windows.iter().map(|(_, tokens)| tokens).sum::<usize>(), tokenizer.count(&text));
        }
    }

    #[test]
    fn what_the_vocabulary_does_not_know_counts_its_bytes() {
        let tokenizer = Tokenizer::cautious().unwrap();
        assert_eq!(tokenizer.count("plain words"), 2);
        assert_eq!(tokenizer.count("🎉"), "🎉".len());
        assert_eq!(tokenizer.count(&"x".repeat(1000)), 1000);
    }
}
