//! `footnote eval`: how good retrieval and answers are on a set of questions whose answers are known.
//!
//! It runs what a turn of chat runs (the collection, [`Retrieval`], the answerer), on a collection of its own that holds
//! the set's corpus. Reading the set is in [`dataset`], the collection in [`corpus`], the formulas in [`metrics`] and
//! [`statistics`]; [`report`] tells a person, and another program, what came out.

mod answers;
mod corpus;
mod dataset;
mod embeddings;
mod metrics;
mod passages;
mod progress;
mod report;
mod statistics;

use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::cli::EvalOptions;
use crate::parts;
use crate::retrieval::Retrieval;
use answers::Answers;
use dataset::Dataset;
use report::Report;

/// Asks the questions and prints what came out.
pub async fn run(options: &EvalOptions) -> anyhow::Result<ExitCode> {
    let dataset = Dataset::read(&options.dataset, options.split.as_deref())?;
    for warning in &dataset.warnings {
        eprintln!("{warning}");
    }
    let judged = sample(dataset.judged(), options.limit);
    ensure!(!judged.is_empty(), "no question of {} has a relevant passage in the qrels", options.dataset.display());
    let before = options.compare.as_deref().map(Report::read).transpose()?;

    let built_in = parts::built_in_embedder(&options.embedding).await?;
    let corpus = corpus::open(options, &dataset.passages, built_in.clone()).await?;
    let cross_encoder = parts::cross_encoder(built_in.as_deref());
    let extractive = options.model.is_extractive(&options.openai);
    let reranker = parts::reranker(&options.rerank, extractive, &cross_encoder)?;
    let retrieval = Retrieval::new(corpus.library.clone(), reranker);
    let rankings = passages::rank(&retrieval, &corpus, &judged, options).await?;
    let mut report = Report::new(options, &dataset, rankings);

    if options.answers {
        let answerer = parts::answerer(&options.model, &options.openai, built_in.as_deref(), cross_encoder)?;
        let unrelated = options.unrelated.iter().map(|folder| Dataset::read_questions(folder));
        let unrelated = unrelated.collect::<anyhow::Result<Vec<_>>>()?;
        let labelled = dataset.questions.iter().filter(|question| question.answerable.is_some());
        let mut asked: Vec<_> = sample(labelled, options.limit).into_iter().map(|question| (question, true)).collect();
        for questions in &unrelated {
            asked.extend(sample(questions.iter(), options.limit).into_iter().map(|question| (question, false)));
        }
        let answered = answers::ask(&retrieval, &answerer, &asked, options).await?;
        report.answers = Some(Answers::new(&answered));
        report.answered = answered;
    }
    report.comparison = before.map(|before| report.compared_with(&before)).transpose()?;
    report.print(options.per_question);
    if let Some(file) = &options.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All of them, or `limit` spread evenly: neighbours in these files are often about the same passage.
fn sample<'a, T>(items: impl Iterator<Item = &'a T>, limit: Option<u64>) -> Vec<&'a T> {
    let items: Vec<&T> = items.collect();
    let wanted = limit.map_or(items.len(), |limit| usize::try_from(limit).unwrap_or(usize::MAX)).min(items.len());
    (0..wanted).map(|number| items[number * items.len() / wanted]).collect()
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn a_sample_is_spread_over_all_items() {
        let items: Vec<usize> = (0..10).collect();
        assert_eq!(sample(items.iter(), Some(5)), [&0, &2, &4, &6, &8]);
        assert_eq!(sample(items.iter(), Some(99)).len(), 10);
        assert_eq!(sample(items.iter(), None).len(), 10);
    }
}
