//! How sure a mean and a difference of means are, and how well a score separates two kinds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const RESAMPLES: usize = 2_000;

/// The 95 % interval of a mean by the percentile bootstrap (Efron, 1979), drawing whole groups: the questions of one
/// conversation go well or badly together.
pub(super) fn interval(values: &[f64], groups: &[&str]) -> [f64; 2] {
    let mut by_group: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (value, group) in values.iter().zip(groups) {
        let (sum, count) = by_group.entry(group).or_default();
        *sum += value;
        *count += 1.0;
    }
    let groups: Vec<(f64, f64)> = by_group.into_values().collect();
    let mut random = Random::new();
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..groups.len()).map(|_| groups[random.below(groups.len())]);
            let (sum, count) = drawn.fold((0.0, 0.0), |(sum, count), group| (sum + group.0, count + group.1));
            sum / count
        })
        .collect();
    means.sort_by(f64::total_cmp);
    [means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40]]
}

/// Two runs over the same questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Paired {
    /// Questions that both runs asked.
    pub(super) questions: usize,
    /// Mean of this run less the mean of the other.
    pub(super) difference: f64,
    pub(super) interval: [f64; 2],
    pub(super) better: usize,
    pub(super) worse: usize,
    pub(super) same: usize,
    /// How likely a difference this large is if the runs were interchangeable, question by question: Fisher's
    /// randomisation test.
    pub(super) p: f64,
}

/// `differences` are this run's values less the other's, one a question.
pub(super) fn paired(differences: &[f64], groups: &[&str]) -> Paired {
    let sum: f64 = differences.iter().sum();
    let mut random = Random::new();
    let as_large = (0..RESAMPLES)
        .filter(|_| {
            let flipped: f64 =
                differences.iter().map(|difference| if random.below(2) == 0 { *difference } else { -difference }).sum();
            flipped.abs() >= sum.abs() - 1e-12
        })
        .count();
    Paired {
        questions: differences.len(),
        difference: sum / differences.len() as f64,
        interval: interval(differences, groups),
        better: differences.iter().filter(|difference| **difference > 0.0).count(),
        worse: differences.iter().filter(|difference| **difference < 0.0).count(),
        same: differences.iter().filter(|difference| **difference == 0.0).count(),
        p: (as_large + 1) as f64 / (RESAMPLES + 1) as f64,
    }
}

/// How often one of `positive` scores higher than one of `negative`: the area under the ROC curve. None without both.
pub(super) fn area_under_curve(positive: &[f64], negative: &[f64]) -> Option<f64> {
    if positive.is_empty() || negative.is_empty() {
        return None;
    }
    let mut sorted = negative.to_vec();
    sorted.sort_by(f64::total_cmp);
    let wins: f64 = positive
        .iter()
        .map(|score| {
            let below = sorted.partition_point(|other| other < score);
            let not_above = sorted.partition_point(|other| other <= score);
            below as f64 + (not_above - below) as f64 / 2.0
        })
        .sum();
    Some(wins / (positive.len() * negative.len()) as f64)
}

/// The upper of the middle two where their number is even; 0 of none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// SplitMix64 (Steele, Lea and Flood, 2014) from a fixed seed: two runs over the same answers report the same.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(20_240_229)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_mean_and_narrows_with_the_number_of_questions() {
        let values: Vec<f64> = (0..400).map(|number| f64::from(number % 2)).collect();
        let names: Vec<String> = (0..400).map(|number| number.to_string()).collect();
        let groups: Vec<&str> = names.iter().map(String::as_str).collect();
        let [few_low, few_high] = interval(&values[..40], &groups[..40]);
        let [low, high] = interval(&values, &groups);
        assert!(low < 0.5 && 0.5 < high && high - low < 0.12, "{low} to {high}");
        assert!(few_low < low && high < few_high);
    }

    #[test]
    fn questions_of_one_conversation_count_as_one_observation() {
        let values: Vec<f64> = (0..400).map(|number| f64::from(number / 40 % 2)).collect();
        let one_each: Vec<String> = (0..400).map(|number| number.to_string()).collect();
        let by_forty: Vec<String> = (0..400).map(|number| (number / 40).to_string()).collect();
        let width = |groups: &[String]| {
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            let [low, high] = interval(&values, &groups);
            high - low
        };
        assert!(width(&by_forty) > 2.0 * width(&one_each));
    }

    #[test]
    fn a_difference_that_is_always_there_is_no_chance() {
        let groups: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let clear = paired(&[0.1; 50], &groups);
        assert!(clear.p < 0.01 && clear.interval[0] > 0.0 && clear.better == 50);
        let alternating: Vec<f64> = (0..50).map(|number| if number % 2 == 0 { 0.1 } else { -0.1 }).collect();
        let none = paired(&alternating, &groups);
        assert!(none.p > 0.5 && none.interval[0] < 0.0 && none.interval[1] > 0.0);
    }

    #[test]
    fn the_area_under_the_curve_counts_ties_as_halves() {
        assert_eq!(area_under_curve(&[3.0, 2.0], &[1.0, 0.0]), Some(1.0));
        assert_eq!(area_under_curve(&[1.0], &[1.0]), Some(0.5));
        assert_eq!(area_under_curve(&[0.0], &[1.0, 2.0]), Some(0.0));
        assert_eq!(area_under_curve(&[], &[1.0]), None);
    }
}
