//! The options of `footnote eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use footnote_knowledge::collection::SearchMode;
use footnote_knowledge::options::{EmbeddingOptions, OpenAiOptions, StoreOptions};

use super::{ModelOptions, RerankOptions};

#[derive(Debug, Clone, Args)]
pub struct EvalOptions {
    /// BEIR folder: corpus.jsonl, queries.jsonl (which may have `history`) and qrels/SPLIT.tsv
    #[arg(long, value_name = "DIR")]
    pub dataset: PathBuf,

    /// Which qrels to measure by; the default is `test`, or the only one there
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,

    /// Rankings to search by
    #[arg(long, value_enum, value_name = "MODE", default_value = "hybrid")]
    pub mode: SearchMode,

    /// What is done with the conversation before a question
    #[arg(long, value_enum, value_name = "WHAT", default_value = "auto")]
    pub history: EvalHistory,

    /// Ask only this many of the questions, spread evenly over the file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,

    /// Write the results, question by question too, to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Compare with the results of another run, as `--json` wrote them, question by question
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,

    /// Print each question with its scores
    #[arg(long)]
    pub per_question: bool,

    /// Answer the questions too: gold spans in the answers, and abstention
    #[arg(long)]
    pub answers: bool,

    /// Also ask the questions of this BEIR folder, which the corpus does not answer (repeatable; with --answers)
    #[arg(long, value_name = "DIR", requires = "answers")]
    pub unrelated: Vec<PathBuf>,

    /// Passages that an answer is made from
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=50))]
    pub top_k: u64,

    #[command(flatten)]
    pub store: StoreOptions,
    #[command(flatten)]
    pub embedding: EmbeddingOptions,
    #[command(flatten)]
    pub rerank: RerankOptions,
    #[command(flatten)]
    pub openai: OpenAiOptions,
    #[command(flatten)]
    pub model: ModelOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EvalHistory {
    /// The question alone
    None,
    /// The user's message before it, always in front of it
    Last,
    /// All messages of the user before it, always in front of it
    All,
    /// As the server does it: decided question by question
    Auto,
}
