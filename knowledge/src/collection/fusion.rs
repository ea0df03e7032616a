//! Two rankings into one: distribution-based score fusion, as Qdrant defines it
//! (<https://qdrant.tech/documentation/concepts/hybrid-queries/>), after Mazzeschi,
//! "Distribution-Based Score Fusion (DBSF), a new approach to Vector Search Ranking" (2023).
//!
//! Each list's scores are mapped so that mean − 3σ becomes 0 and mean + 3σ becomes 1 (σ of the sample), then added.
//! Done here and not in the engines, so that both rank alike and every score is known to whoever asks for it.

use std::collections::HashMap;

use serde::Serialize;
use uuid::Uuid;

/// Where something stands in a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ranked {
    /// From 1.
    pub rank: usize,
    pub score: f32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fused {
    pub(super) id: Uuid,
    /// From 1.
    pub(super) rank: usize,
    /// 0 to 2 for nearly all; beyond that for scores more than 3σ from the mean.
    pub(super) score: f32,
    pub(super) dense: Option<Ranked>,
    pub(super) bm25: Option<Ranked>,
}

/// Best first; equal scores by id. Neither list needs an order, and either may be empty.
pub(super) fn fuse(dense: &[(Uuid, f32)], bm25: &[(Uuid, f32)]) -> Vec<Fused> {
    let mut fused: HashMap<Uuid, Fused> = HashMap::with_capacity(dense.len() + bm25.len());
    let absent = |id| Fused { id, rank: 0, score: 0.0, dense: None, bm25: None };
    for (id, ranked, normalised) in rank(dense) {
        let entry = fused.entry(id).or_insert_with(|| absent(id));
        entry.dense = Some(ranked);
        entry.score += normalised;
    }
    for (id, ranked, normalised) in rank(bm25) {
        let entry = fused.entry(id).or_insert_with(|| absent(id));
        entry.bm25 = Some(ranked);
        entry.score += normalised;
    }
    let mut fused: Vec<_> = fused.into_values().collect();
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    fused.iter_mut().zip(1..).for_each(|(fused, rank)| fused.rank = rank);
    fused
}

fn rank(scores: &[(Uuid, f32)]) -> Vec<(Uuid, Ranked, f32)> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|(a_id, a), (b_id, b)| b.total_cmp(a).then(a_id.cmp(b_id)));
    let normalise = normaliser(&sorted);
    let ranked = sorted.into_iter().zip(1..);
    ranked.map(|((id, score), rank)| (id, Ranked { rank, score }, normalise(score))).collect()
}

/// Scores that do not differ say nothing: all become 0.5.
fn normaliser(scores: &[(Uuid, f32)]) -> impl Fn(f32) -> f32 + use<> {
    let count = scores.len() as f64;
    let mean = scores.iter().map(|(_, score)| f64::from(*score)).sum::<f64>() / count;
    let squares = scores.iter().map(|(_, score)| (f64::from(*score) - mean).powi(2)).sum::<f64>();
    let deviation = (squares / (count - 1.0)).sqrt();
    move |score| {
        if deviation > 0.0 { ((f64::from(score) - mean) / (6.0 * deviation) + 0.5) as f32 } else { 0.5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_chunk_in_both_lists_beats_one_in_either() {
        let fused = fuse(&[(id(1), 0.9), (id(2), 0.8), (id(3), 0.1)], &[(id(2), 7.0), (id(4), 6.9), (id(5), 0.2)]);
        assert_eq!(fused[0].id, id(2));
        assert_eq!(fused[0].dense, Some(Ranked { rank: 2, score: 0.8 }));
        assert_eq!(fused[0].bm25, Some(Ranked { rank: 1, score: 7.0 }));
        assert_eq!(fused.len(), 5);
    }

    #[test]
    fn scores_are_measured_in_standard_deviations() {
        // Mean 2, sample deviation 1: (3 − 2) / 6 + 0.5.
        let fused = fuse(&[(id(1), 1.0), (id(2), 2.0), (id(3), 3.0)], &[]);
        let scores: Vec<_> = fused.iter().map(|fused| (fused.id, fused.score)).collect();
        assert_eq!(scores, [(id(3), 4.0 / 6.0), (id(2), 0.5), (id(1), 2.0 / 6.0)]);
    }

    #[test]
    fn one_or_equal_scores_become_a_half_in_the_order_of_their_ids() {
        assert_eq!(fuse(&[(id(1), 0.3)], &[])[0].score, 0.5);
        let equal = fuse(&[(id(2), 0.3), (id(1), 0.3)], &[]);
        assert_eq!(equal.iter().map(|fused| (fused.id, fused.score)).collect::<Vec<_>>(), [(id(1), 0.5), (id(2), 0.5)]);
    }

    #[test]
    fn nothing_fuses_to_nothing() {
        assert_eq!(fuse(&[], &[]), []);
    }
}
