//! Which of the ranked chunks a search answers with, beside being of the current version: near enough, not said
//! already, and as different from one another as asked for.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::fusion::Fused;

/// What is asked of a search beyond the order of its ranking. By default nothing but that no passage comes twice.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Selection {
    /// The least cosine of question and passage; never of a fused score, which depends on what else was found.
    pub score_threshold: Option<f32>,
    /// How much passages are to differ from one another, from 0 (only relevance counts) to 1 (only difference does):
    /// maximal marginal relevance, after Carbonell and Goldstein, SIGIR 1998.
    pub mmr: Option<f32>,
}

/// With MMR, this many ranked chunks for each one wanted are chosen from.
const CHOSEN_FROM: usize = 5;

impl Selection {
    /// How many ranked chunks are looked at to begin with.
    pub(super) fn looked_at(&self, limit: usize) -> usize {
        if self.mmr.is_some() { limit.saturating_mul(CHOSEN_FROM) } else { limit }
    }
}

/// The passages chosen so far, as far as repetition goes.
#[derive(Default)]
pub(super) struct Said(HashSet<String>);

impl Said {
    /// Whether a passage taken before has the same words; if not, this is one from now on.
    ///
    /// Case, punctuation and layout may differ, words may not: last year's rule differs from this year's by a number.
    pub(super) fn repeats(&mut self, text: &str) -> bool {
        let mut words = String::with_capacity(text.len());
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            words.extend(word.chars().flat_map(char::to_lowercase));
            words.push(' ');
        }
        !words.is_empty() && !self.0.insert(words)
    }
}

/// The chunks in the order in which MMR takes them. Relevance is the fused score, scaled over these chunks; one without
/// a vector is like no other.
pub(super) fn by_marginal_relevance(
    ranked: Vec<Fused>,
    vectors: &HashMap<Uuid, Vec<f32>>,
    diversity: f32,
) -> Vec<Fused> {
    let scores = ranked.iter().map(|chunk| chunk.score);
    let (least, most) = scores.fold((f32::MAX, f32::MIN), |(least, most), score| (least.min(score), most.max(score)));
    let relevance = |chunk: &Fused| if most > least { (chunk.score - least) / (most - least) } else { 1.0 };
    let mut left: Vec<(Fused, f32)> = ranked.into_iter().map(|chunk| (chunk, 0.0)).collect();
    let mut taken: Vec<Fused> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let worth = |(chunk, likeness): &(Fused, f32)| (1.0 - diversity) * relevance(chunk) - diversity * likeness;
        // The first of equals: the better ranked.
        let best =
            (1..left.len()).fold(0, |best, index| if worth(&left[index]) > worth(&left[best]) { index } else { best });
        let (chunk, _) = left.remove(best);
        for (other, likeness) in &mut left {
            *likeness = likeness.max(cosine(vectors.get(&other.id), vectors.get(&chunk.id)));
        }
        taken.push(chunk);
    }
    taken
}

/// Of unit vectors.
fn cosine(one: Option<&Vec<f32>>, other: Option<&Vec<f32>>) -> f32 {
    one.zip(other).map_or(0.0, |(one, other)| one.iter().zip(other).map(|(a, b)| a * b).sum())
}

/// Takes out the chunks that are not near enough. `cosines` are those that the dense ranking did not reach.
pub(super) fn take_out_distant(ranked: &mut Vec<Fused>, threshold: f32, cosines: &HashMap<Uuid, f32>) -> Vec<Fused> {
    let cosine = |chunk: &Fused| chunk.dense.map(|dense| dense.score).or_else(|| cosines.get(&chunk.id).copied());
    ranked.extract_if(.., |chunk| cosine(chunk).is_none_or(|cosine| cosine < threshold)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: u128, score: f32) -> Fused {
        Fused { id: Uuid::from_u128(number), rank: 0, score, dense: None, bm25: None }
    }

    fn order(diversity: f32) -> Vec<u128> {
        let ranked = vec![chunk(1, 1.0), chunk(2, 0.9), chunk(3, 0.0)];
        let vectors = [(1, [1.0, 0.0]), (2, [1.0, 0.0]), (3, [0.0, 1.0])];
        let vectors = vectors.into_iter().map(|(id, vector)| (Uuid::from_u128(id), vector.to_vec())).collect();
        by_marginal_relevance(ranked, &vectors, diversity).iter().map(|chunk| chunk.id.as_u128()).collect()
    }

    #[test]
    fn the_more_difference_is_asked_for_the_later_comes_a_passage_like_the_first() {
        assert_eq!(order(0.0), [1, 2, 3]);
        assert_eq!(order(0.3), [1, 2, 3]);
        assert_eq!(order(0.7), [1, 3, 2]);
        assert_eq!(order(1.0), [1, 3, 2]);
    }

    #[test]
    fn a_passage_repeats_a_better_one_that_has_the_same_words() {
        let mut said = Said::default();
        assert!(!said.repeats("All rooms are closed on Mondays; the garden is open until 18:00."));
        assert!(said.repeats("* ALL ROOMS are closed on Mondays,\n  the garden is open until 18:00"));
        assert!(!said.repeats("All rooms are closed on Mondays; the garden is open until 19:00."), "a number differs");
        assert!(!said.repeats("The garden is open until 18:00."), "a part is no copy");
        assert!(!said.repeats("…") && !said.repeats("…"), "what has no words repeats nothing");
    }

    #[test]
    fn what_has_no_cosine_is_not_near_enough() {
        let near = Fused { dense: Some(super::super::fusion::Ranked { rank: 1, score: 0.5 }), ..chunk(1, 1.0) };
        let mut ranked = vec![near, chunk(2, 0.9), chunk(3, 0.8)];
        let cosines = [(Uuid::from_u128(2), 0.4)].into();
        let distant = take_out_distant(&mut ranked, 0.4, &cosines);
        assert_eq!(ranked.iter().map(|chunk| chunk.id.as_u128()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(distant.len(), 1);
    }
}
