//! Text to sparse BM25 vectors, made by the engine's own tokenizer in this process for both backends, so that they hold
//! the same tokens. The IDF half of BM25 is applied by the engine when it ranks.

use std::collections::BTreeMap;

use qdrant_edge::SparseVector as EngineVector;
use qdrant_edge::bm25_embed::{EdgeBm25, EdgeBm25Config};
use serde_json::Value;

use super::point::SparseVector;

/// Lower case, English stop words and stemming; k = 1.2, b = 0.75, average length 256 tokens: the engine's defaults.
#[derive(Debug)]
pub struct Bm25 {
    model: EdgeBm25,
}

impl Bm25 {
    pub fn new() -> Self {
        let model = EdgeBm25::new(EdgeBm25Config::default()).expect("the engine accepts its own defaults");
        Self { model }
    }

    /// Everything that changes the vectors of a text, as JSON.
    pub fn settings() -> Value {
        let config = serde_json::to_value(EdgeBm25Config::default()).expect("numbers and strings become JSON");
        serde_json::json!({ "config": config, "language": "english", "tokens": 1 })
    }

    pub fn embed_document(&self, text: &str) -> SparseVector {
        from_engine(self.model.embed_document(text))
    }

    /// Empty when the text has no word but stop words.
    pub fn embed_query(&self, text: &str) -> SparseVector {
        from_engine(self.model.embed_query(text))
    }

    /// The words of the query at weight 1, those of the texts around it at the weight given with each. A word that
    /// several of them have counts as where it weighs most.
    pub fn embed_query_in_context<'a>(
        &self,
        text: &str,
        context: impl Iterator<Item = (&'a str, f32)>,
    ) -> SparseVector {
        let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
        for (text, weight) in context {
            for index in self.embed_query(text).indices {
                let known = weights.entry(index).or_default();
                *known = known.max(weight);
            }
        }
        weights.extend(self.embed_query(text).indices.into_iter().map(|index| (index, 1.0)));
        SparseVector { indices: weights.keys().copied().collect(), values: weights.into_values().collect() }
    }
}

impl Default for Bm25 {
    fn default() -> Self {
        Self::new()
    }
}

fn from_engine(vector: EngineVector) -> SparseVector {
    SparseVector { indices: vector.indices, values: vector.values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_and_drops_stop_words() {
        let bm25 = Bm25::new();
        assert_eq!(bm25.embed_query("The networks"), bm25.embed_query("network"));
        assert_eq!(bm25.embed_query("the of and"), SparseVector::default());
    }

    #[test]
    fn a_repeated_word_weighs_more_in_a_document_and_not_in_a_query() {
        let bm25 = Bm25::new();
        assert!(bm25.embed_document("kernel kernel").values[0] > bm25.embed_document("kernel").values[0]);
        assert_eq!(bm25.embed_query("kernel kernel").values, [1.0]);
    }

    #[test]
    fn words_around_a_query_count_as_they_weigh_most_and_never_instead_of_its_own() {
        let bm25 = Bm25::new();
        let weight = |vector: &SparseVector, word: &str| {
            let index = bm25.embed_query(word).indices[0];
            vector.indices.iter().position(|it| *it == index).map(|position| vector.values[position])
        };
        let context = [("redis keeps sessions", 0.3), ("sessions expire", 0.1)];
        let vector = bm25.embed_query_in_context("how long do sessions live", context.into_iter());
        assert_eq!(weight(&vector, "session"), Some(1.0));
        assert_eq!(weight(&vector, "redis"), Some(0.3));
        assert_eq!(weight(&vector, "expire"), Some(0.1));
        assert_eq!(bm25.embed_query_in_context("redis", [].into_iter()), bm25.embed_query("redis"));
    }

    #[test]
    fn words_without_spaces_are_still_tokens() {
        assert!(!Bm25::new().embed_query("机器学习是什么").indices.is_empty());
    }
}
