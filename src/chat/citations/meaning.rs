//! Whether a sentence that says in other words what it cites means the same.

use footnote_knowledge::embedding::{self, Embedder};

use super::{CheckedCitations, InOtherWords};

/// The least cosine of sentence and quote by the built-in embedder. How many right and wrong citations it verifies is in
/// docs/retrieval.md.
const SAME_MEANING: f32 = 0.7;

/// Comparing one takes a few milliseconds; what is beyond is left as it is, not verified.
const MOST_COMPARED: usize = 32;

/// Longer "sentences" are no sentences.
const LONGEST_BYTES: usize = 2000;

impl CheckedCitations {
    /// Whether there is anything that words alone could not decide.
    pub fn leaves_meanings_open(&self) -> bool {
        !self.in_other_words.is_empty()
    }

    /// Verifies what words alone could not. The built-in embedder only: of another model, nobody knows which cosine is
    /// high.
    pub async fn compare_meanings(&mut self, embedder: &Embedder) -> Result<(), embedding::Error> {
        if !matches!(embedder, Embedder::Local(_)) {
            return Ok(());
        }
        let short = |it: &InOtherWords| it.sentence.len().max(it.quote.len()) <= LONGEST_BYTES;
        let compared: Vec<_> =
            std::mem::take(&mut self.in_other_words).into_iter().filter(short).take(MOST_COMPARED).collect();
        if compared.is_empty() {
            return Ok(());
        }
        let texts = compared.iter().flat_map(|it| [it.sentence.clone(), it.quote.clone()]).collect();
        let vectors = embedder.embed_queries(texts).await?;
        for (it, pair) in compared.iter().zip(vectors.chunks_exact(2)) {
            // They have unit length.
            let cosine: f32 = pair[0].iter().zip(&pair[1]).map(|(one, other)| one * other).sum();
            self.citations[it.citation].verified = cosine >= SAME_MEANING;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use footnote_knowledge::embedding::LocalEmbedder;

    use super::*;
    use crate::chat::citations::{check, tests::source};

    #[tokio::test]
    async fn a_sentence_in_other_words_is_verified_if_it_means_the_same_and_its_facts_are_there() {
        let embedder = Embedder::Local(LocalEmbedder::open().await.unwrap());
        let leave = "Employees receive 24 days of annual leave in their first year. The canteen opens at noon.";
        for (sentence, expected) in [
            ("New staff members get 24 vacation days during year one.", true),
            ("New staff members get 30 vacation days during year one.", false),
            ("The parking garage has 24 places for visitors.", false),
        ] {
            let mut sources = [source(1, leave)];
            let mut checked = check(&format!("{sentence} [1]"), &mut sources);
            assert!(!checked.citations[0].verified, "{sentence}: words alone do not tell");
            checked.compare_meanings(&embedder).await.unwrap();
            assert_eq!(checked.citations[0].verified, expected, "{sentence}");
        }
    }
}
