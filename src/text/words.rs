//! Words that carry meaning, in a form in which they can be compared.

use std::collections::HashSet;
use std::sync::LazyLock;

use qdrant_rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation;

static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

/// Words that say how a sentence is built and not what it is about. English, and the most frequent particles of
/// Chinese, which word segmentation yields one character at a time.
static FUNCTION_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    "a about above after again against all also am an and any are aren't as at be because been before being below between both \
     but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each either else etc ever \
     every few for from further get gets give had has have haven't having he her here hers herself him himself his how however \
     i if in into is isn't it it's its itself just let's many may me might more most much must my myself neither no nor \
     not now of off on once one only onto or other our ours ourselves out over own per please rather same shall she should so \
     some such tell than that that's the their theirs them themselves then there there's these they this those though through thus to \
     too under until up upon us very via was wasn't we were weren't what what's when where whether which while who whom whose why \
     will with within without won't would you your yours yourself \
     的 了 是 在 和 与 有 我 你 他 她 它 们 这 那 什 么 吗 呢 吧 也 就 都 而 及 或 被 把 对 不 个 一 怎 样 哪"
        .split_whitespace()
        .collect()
});

/// Whether the word, in lower case, is one of the small words of a sentence.
pub fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.contains(word)
}

/// The words of `text` in lower case, in order.
pub fn lower_words(text: &str) -> Vec<String> {
    text.unicode_words().map(|word| word.to_lowercase().replace('’', "'")).collect()
}

/// The stems of the words that carry meaning, in order, repetitions included.
pub fn content_stems(text: &str) -> Vec<String> {
    lower_words(text).iter().filter(|word| !is_function_word(word)).map(|word| stem(word)).collect()
}

/// `learns`, `learning` → `learn`; a possessive is the word without it, a number has no separators.
pub fn stem(lower_word: &str) -> String {
    if lower_word.starts_with(|first: char| first.is_ascii_digit()) {
        return lower_word.replace(',', "");
    }
    let word = lower_word.strip_suffix("'s").unwrap_or(lower_word);
    ENGLISH.stem(word).into_owned()
}

/// Numbers as they count: `3,600` and `3600` are one, `3.50` and `3.5` too, the `1` of `v1` is one.
pub fn numbers(text: &str) -> Vec<String> {
    let runs = text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','));
    runs.filter_map(|run| {
        let number = run.trim_matches(['.', ',']).replace(',', "");
        if number.is_empty() {
            return None;
        }
        Some(match number.split_once('.') {
            Some((whole, fraction)) if !fraction.contains('.') => {
                let fraction = fraction.trim_end_matches('0');
                if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
            }
            _ => number,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_stems_leave_out_small_words_and_endings() {
        assert_eq!(
            content_stems("How does machine learning differ from the machine's learners?"),
            ["machin", "learn", "differ", "machin", "learner"]
        );
        assert_eq!(content_stems("3,600 sessions"), ["3600", "session"]);
        assert_eq!(content_stems("什么是机器学习?"), ["机", "器", "学", "习"]);
        assert_eq!(content_stems("What is it?"), Vec::<String>::new());
    }

    #[test]
    fn numbers_are_compared_by_value_of_their_writing() {
        assert_eq!(numbers("3,600 s, 3.50 and v2, 1.2.3."), ["3600", "3.5", "2", "1.2.3"]);
        assert_eq!(numbers("none, at all."), Vec::<String>::new());
    }
}
