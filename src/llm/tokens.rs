//! How many tokens a chat model sees in a text.

use footnote_knowledge::embedding::Tokenizer;
use tiktoken_rs::tokenizer::{Tokenizer as Encoding, get_tokenizer};
use tiktoken_rs::{CoreBPE, bpe_for_tokenizer};

/// Exact for models whose encoding is published, on the high side for others. Cheap to clone.
#[derive(Clone)]
pub enum TokenCounter {
    /// Its tables, tens of megabytes, are built when they are first needed.
    Published(Encoding),
    Unknown(Tokenizer),
}

impl TokenCounter {
    /// `unknown` counts for models that nobody has told us of. A name may have its maker in front, `openai/gpt-4o`.
    pub fn of_model(name: &str, unknown: Tokenizer) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        get_tokenizer(name).map_or(Self::Unknown(unknown), Self::Published)
    }

    pub fn count(&self, text: &str) -> usize {
        match self {
            Self::Published(encoding) => {
                // No token is shorter than a byte, should the tables not be readable.
                bpe(*encoding).map_or(text.len(), |encoding| encoding.count_ordinary(text))
            }
            Self::Unknown(tokenizer) => tokenizer.count(text),
        }
    }
}

fn bpe(encoding: Encoding) -> Option<&'static CoreBPE> {
    bpe_for_tokenizer(encoding).ok()
}

impl std::fmt::Debug for TokenCounter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Published(_) => "Published",
            Self::Unknown(_) => "Unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_known_encodings_are_counted_exactly_and_others_on_the_high_side() {
        let unknown = Tokenizer::cautious().unwrap();
        let of = |name| TokenCounter::of_model(name, unknown.clone());
        // Counts of OpenAI's Cookbook, "How to count tokens with tiktoken": o200k_base, and cl100k_base for gpt-4.
        let text = "お誕生日おめでとう";
        for (name, expected) in [("gpt-4o-mini", 8), ("openai/gpt-4o-mini", 8), ("gpt-4", 9)] {
            assert!(matches!(of(name), TokenCounter::Published(_)), "{name}");
            assert_eq!(of(name).count(text), expected, "{name}");
        }
        assert!(matches!(of("llama3.2"), TokenCounter::Unknown(_)));
        assert!(of("llama3.2").count(text) >= 8);
    }
}
