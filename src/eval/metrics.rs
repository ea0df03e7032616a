//! How well a ranking finds the relevant passages, as trec_eval and BEIR compute it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Each from 0 to 1. Of one question, or the means over many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Metrics {
    /// Discounted cumulative gain over the best possible one (Järvelin and Kekäläinen, 2002), gains as judged.
    #[serde(rename = "ndcg@10")]
    pub(super) ndcg_10: f64,
    /// The share of the relevant passages that was found.
    #[serde(rename = "recall@5")]
    pub(super) recall_5: f64,
    #[serde(rename = "recall@10")]
    pub(super) recall_10: f64,
    /// One over the rank of the first relevant passage.
    #[serde(rename = "mrr@10")]
    pub(super) mrr_10: f64,
    /// Whether any relevant passage was found.
    #[serde(rename = "hit@1")]
    pub(super) hit_1: f64,
    #[serde(rename = "hit@5")]
    pub(super) hit_5: f64,
    #[serde(rename = "hit@10")]
    pub(super) hit_10: f64,
}

/// Rankings are looked at this deep.
pub(super) const DEPTH: usize = 10;

impl Metrics {
    /// `ranking` is best first; `relevant` has the gain of each relevant passage, at least one.
    pub(super) fn of<Id: AsRef<str>>(ranking: &[Id], relevant: &HashMap<String, f64>) -> Self {
        let gains: Vec<f64> =
            ranking.iter().take(DEPTH).map(|id| relevant.get(id.as_ref()).copied().unwrap_or(0.0)).collect();
        let mut ideal: Vec<f64> = relevant.values().copied().collect();
        ideal.sort_by(|one, other| other.total_cmp(one));
        ideal.truncate(DEPTH);

        let found = |depth: usize| gains.iter().take(depth).filter(|gain| **gain > 0.0).count() as f64;
        let recall = |depth| found(depth) / relevant.len() as f64;
        let hit = |depth| found(depth).min(1.0);
        let first = gains.iter().position(|gain| *gain > 0.0);
        Self {
            ndcg_10: discounted(&gains) / discounted(&ideal),
            recall_5: recall(5),
            recall_10: recall(10),
            mrr_10: first.map_or(0.0, |index| 1.0 / (index + 1) as f64),
            hit_1: hit(1),
            hit_5: hit(5),
            hit_10: hit(10),
        }
    }

    pub(super) fn mean(all: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        Self {
            ndcg_10: mean(|it| it.ndcg_10),
            recall_5: mean(|it| it.recall_5),
            recall_10: mean(|it| it.recall_10),
            mrr_10: mean(|it| it.mrr_10),
            hit_1: mean(|it| it.hit_1),
            hit_5: mean(|it| it.hit_5),
            hit_10: mean(|it| it.hit_10),
        }
    }
}

fn discounted(gains: &[f64]) -> f64 {
    gains.iter().zip(2_u32..).map(|(gain, position)| gain / f64::from(position).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relevant(ids: &[(&str, f64)]) -> HashMap<String, f64> {
        ids.iter().map(|(id, gain)| ((*id).to_owned(), *gain)).collect()
    }

    #[test]
    fn a_ranking_is_measured_against_the_best_possible_one() {
        let metrics = Metrics::of(&["x", "a", "y", "b"], &relevant(&[("a", 1.0), ("b", 1.0), ("never", 1.0)]));
        let best = 1.0 + 1.0 / 3_f64.log2() + 0.5;
        assert!((metrics.ndcg_10 - (1.0 / 3_f64.log2() + 1.0 / 5_f64.log2()) / best).abs() < 1e-12);
        assert!((metrics.recall_5 - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((metrics.mrr_10, metrics.hit_1, metrics.hit_5), (0.5, 0.0, 1.0));
    }

    #[test]
    fn higher_gains_should_come_first() {
        let judged = relevant(&[("good", 2.0), ("fair", 1.0)]);
        assert!(Metrics::of(&["fair", "good"], &judged).ndcg_10 < 1.0);
        assert_eq!(Metrics::of(&["good", "fair"], &judged).ndcg_10, 1.0);
    }

    #[test]
    fn what_comes_after_the_tenth_place_does_not_count() {
        let ranking: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        assert_eq!(Metrics::of(&ranking, &relevant(&[("10", 1.0)])), Metrics::default());
        assert_eq!(Metrics::of::<&str>(&[], &relevant(&[("10", 1.0)])), Metrics::default());
    }
}
