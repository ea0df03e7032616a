//! What came out of a run, for a person and as JSON.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::answers::{Answered, Answers};
use super::dataset::Dataset;
use super::metrics::Metrics;
use super::passages::Ranking;
use super::statistics::{Paired, interval, median, paired};
use crate::cli::EvalOptions;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    dataset: String,
    split: String,
    mode: String,
    history: String,
    passages: usize,
    /// How many questions the metrics are means of.
    queries: usize,
    metrics: Metrics,
    /// 95 %, of the nDCG and the recall.
    intervals: BTreeMap<String, [f64; 2]>,
    timings_ms: Timings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answers: Option<Answers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comparison: Option<Paired>,
    per_question: Vec<Ranking>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) answered: Vec<Answered>,
}

/// Medians over the questions.
#[derive(Debug, Serialize, Deserialize)]
struct Timings {
    embed: f64,
    search: f64,
    /// Zero where there is no reranker.
    #[serde(default)]
    rerank: f64,
}

impl Report {
    pub(super) fn new(options: &EvalOptions, dataset: &Dataset, rankings: Vec<Ranking>) -> Self {
        let all: Vec<Metrics> = rankings.iter().map(|ranking| ranking.metrics).collect();
        let groups: Vec<&str> = rankings.iter().map(|ranking| ranking.group.as_str()).collect();
        let of = |value: fn(&Metrics) -> f64| interval(&all.iter().map(value).collect::<Vec<_>>(), &groups);
        Self {
            dataset: dataset.name.clone(),
            split: dataset.split.clone(),
            mode: format!("{:?}", options.mode).to_lowercase(),
            history: format!("{:?}", options.history).to_lowercase(),
            passages: dataset.passages.len(),
            queries: rankings.len(),
            metrics: Metrics::mean(&all),
            intervals: [("ndcg@10".to_owned(), of(|it| it.ndcg_10)), ("recall@10".to_owned(), of(|it| it.recall_10))]
                .into(),
            timings_ms: Timings {
                embed: median(rankings.iter().map(|ranking| ranking.embed_ms)),
                search: median(rankings.iter().map(|ranking| ranking.search_ms)),
                rerank: median(rankings.iter().map(|ranking| ranking.rerank_ms)),
            },
            answers: None,
            comparison: None,
            per_question: rankings,
            answered: Vec::new(),
        }
    }

    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not what --json writes", file.display()))
    }

    /// The nDCG of this run beside the other's, over the questions that both asked.
    pub(super) fn compared_with(&self, other: &Self) -> anyhow::Result<Paired> {
        let before: HashMap<&str, f64> =
            other.per_question.iter().map(|ranking| (ranking.id.as_str(), ranking.metrics.ndcg_10)).collect();
        let pairs = self.per_question.iter().filter_map(|ranking| {
            let before = before.get(ranking.id.as_str())?;
            Some((ranking.metrics.ndcg_10 - before, ranking.group.as_str()))
        });
        let (differences, groups): (Vec<f64>, Vec<&str>) = pairs.unzip();
        ensure!(!differences.is_empty(), "the run to compare with asked none of these questions");
        Ok(paired(&differences, &groups))
    }

    pub(super) fn print(&self, per_question: bool) {
        if per_question {
            self.per_question.iter().for_each(print_question);
        }
        let Metrics { ndcg_10, recall_5, recall_10, mrr_10, hit_1, hit_5, hit_10 } = self.metrics;
        println!(
            "{} ({}): {} questions, {} passages, mode {}, history {}",
            self.dataset, self.split, self.queries, self.passages, self.mode, self.history
        );
        let [low, high] = self.intervals["ndcg@10"];
        println!("  nDCG@10   {ndcg_10:.4}  (95 %: {low:.3} to {high:.3})");
        println!("  recall@5  {recall_5:.4}  recall@10 {recall_10:.4}  MRR@10 {mrr_10:.4}");
        println!("  hit@1     {hit_1:.4}  hit@5     {hit_5:.4}  hit@10 {hit_10:.4}");
        println!(
            "  {:.1} ms to embed a question, {:.1} ms to search, {:.1} ms to rerank (p50)",
            self.timings_ms.embed, self.timings_ms.search, self.timings_ms.rerank
        );
        if let Some(answers) = &self.answers {
            answers.print();
        }
        if let Some(Paired { questions, difference, interval: [low, high], better, worse, same, p }) = &self.comparison
        {
            println!(
                "against the other run: {difference:+.4} nDCG@10 (95 %: {low:+.4} to {high:+.4}, p {p:.3}); \
                 of {questions} questions {better} better, {worse} worse, {same} the same"
            );
        }
    }
}

fn print_question(ranking: &Ranking) {
    let Ranking { id, question, standalone_question, reasons, metrics, .. } = ranking;
    println!("{:.3}  {id}  {}", metrics.ndcg_10, one_line(question));
    if standalone_question != question {
        println!("       searched for: {}", one_line(standalone_question));
    }
    for reason in reasons {
        println!("       {reason}");
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
