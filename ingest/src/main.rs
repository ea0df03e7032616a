//! The `ingest` program: brings a collection up to date with files and folders.

mod output;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use footnote_ingest::{Error, IngestOptions, Report, Stopped, discover};
use footnote_knowledge::collection::{self, Collection};
use footnote_knowledge::options::{EmbeddingOptions, OpenAiOptions, StoreOptions};
use footnote_knowledge::{connect, options, tls};
use tracing_subscriber::EnvFilter;

use output::Output;

/// Put documents into Footnote's collection.
///
/// Folders are searched for text, Markdown, HTML and PDF files; .gitignore and .footnoteignore are honoured. Files that
/// did not change since the last run are left alone.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, after_help = EXIT_STATUS)]
struct Options {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Tag the documents, for searches to be restricted to; without it they keep the tags they have. Repeatable
    #[arg(long = "tag", value_name = "TAG", value_parser = parse_tag)]
    tags: Vec<String>,

    /// First part of the documents' names, in place of the folder's name; with the name that documents have already, it
    /// says that they came from this folder
    #[arg(long, value_name = "NAME")]
    root_name: Option<String>,

    /// Print failures only
    #[arg(long, conflicts_with = "json")]
    quiet: bool,

    /// Print one JSON object per event and line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreOptions,

    #[command(flatten)]
    embedding: EmbeddingOptions,

    #[command(flatten)]
    openai: OpenAiOptions,
}

const EXIT_STATUS: &str = "Exit status: 0 done, 1 done but for some files that failed, 2 wrong use, 3 not done: the vector \
                           store or the embedder could not be reached, or failed";
const SOME_FAILED: u8 = 1;
const WRONG_USE: u8 = 2;
const NOT_DONE: u8 = 3;

/// A parser that is still at work on a file when the run has ended is not waited for longer.
const LONGEST_END: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let options: Options = options::parse();
    tls::choose_library();
    trace();
    let runtime = tokio::runtime::Runtime::new().expect("the operating system gives threads");
    let outcome = runtime.block_on(run(&options));
    runtime.shutdown_timeout(LONGEST_END);
    match outcome {
        Ok(report) if report.failed.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(SOME_FAILED),
        Err(error) => {
            output::print_error(&format!("error: {error:#}"));
            ExitCode::from(status(&error))
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<Report> {
    // Before anything is opened: a mistyped path leaves no store behind.
    discover::roots(&options.paths, options.root_name.as_deref()).map_err(Error::from)?;
    let output = Output::new(options.quiet, options.json);
    output.text_receivers(&connect::text_receivers(&options.store, &options.embedding, &options.openai));
    let embedder =
        connect::open_embedder(&options.embedding, &options.openai).await.context("the embedder cannot be used")?;
    let knowledge = connect::open_collection(&options.store, &embedder).await?;

    let (root_name, tags) = (options.root_name.clone(), options.tags.clone());
    let ingest_options = IngestOptions { root_name, tags, ..IngestOptions::default() };
    let progress = |event| output.event(&event);
    let report = footnote_ingest::ingest(&options.paths, &knowledge, &embedder, &ingest_options, progress).await;
    output.end_progress();
    let report = match report {
        Ok(report) => report,
        Err(stopped) => {
            let Stopped { error, report } = *stopped;
            let error = anyhow::Error::new(error);
            if status(&error) == NOT_DONE {
                output.stopped(&report, &format!("{error:#}"));
            }
            return Err(error);
        }
    };
    if report.added + report.updated > 0 {
        clear_up(&knowledge).await;
    }
    output.summary(&report);
    Ok(report)
}

/// Removes what earlier runs left behind: a version that this run replaced still serves those who are reading it.
async fn clear_up(knowledge: &Collection) {
    if let Err(error) = knowledge.sweep().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "old versions could not be removed; the next run will"
        );
    }
}

/// Warnings of our own code, to where they do not mix with `--json`; what libraries warn of is for developers.
fn trace() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::new("off,ingest=warn,footnote_ingest=warn,footnote_knowledge=warn"))
        .init();
    // Parsers and models run on other threads: one that panics is in the report as the file's failure, and its message
    // would tear the progress bar.
    let by_default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some("main") {
            by_default(panic);
        }
    }));
}

fn status(error: &anyhow::Error) -> u8 {
    let collection_error = match error.downcast_ref::<Error>() {
        Some(Error::Paths(_)) => return WRONG_USE,
        Some(Error::Collection(error)) => Some(error),
        Some(Error::Embedding { .. }) => None,
        None => error.downcast_ref::<collection::Error>(),
    };
    match collection_error {
        Some(collection::Error::InvalidName { .. } | collection::Error::FingerprintMismatch { .. }) => WRONG_USE,
        Some(_) | None => NOT_DONE,
    }
}

fn parse_tag(tag: &str) -> Result<String, &'static str> {
    let tag = tag.trim();
    let fits = (1..=64).contains(&tag.chars().count()) && !tag.chars().any(char::is_control);
    if fits { Ok(tag.to_owned()) } else { Err("a tag is 1 to 64 characters") }
}
