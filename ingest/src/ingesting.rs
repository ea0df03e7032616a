//! `ingest PATH…`: opens what is needed, runs the pipeline, and says what came of it.

use std::process::ExitCode;

use anyhow::Context;
use footnote_ingest::{Error, Extractor, GoneDocuments, IngestOptions, Report, Stopped, discover};
use footnote_knowledge::collection::Collection;
use footnote_knowledge::connect;

use crate::cli::{IngestCommand, NOT_DONE, SOME_FAILED, status};
use crate::output::Output;

pub(super) async fn run(command: &IngestCommand) -> anyhow::Result<ExitCode> {
    // Before anything is opened: a mistyped path leaves no store behind.
    discover::roots(&command.paths, command.root_name.as_deref()).map_err(Error::from)?;
    let output = Output::new(command.quiet, command.json);
    output.text_receivers(&connect::text_receivers(&command.store, &command.embedding, &command.openai));
    let embedder =
        connect::open_embedder(&command.embedding, &command.openai).await.context("the embedder cannot be used")?;
    let knowledge = connect::open_collection(&command.store, &embedder).await?;

    let options = pipeline_options(command)?;
    let progress = |event| output.event(&event);
    let report = footnote_ingest::ingest(&command.paths, &knowledge, &embedder, &options, progress).await;
    output.end_progress();
    let report = match report {
        Ok(report) => report,
        Err(stopped) => return Err(not_done(*stopped, &output)),
    };
    if report.added + report.updated + report.removed > 0 && !command.dry_run {
        clear_up(&knowledge).await;
    }
    output.summary(&report);
    Ok(exit_code(&report))
}

pub(super) fn exit_code(report: &Report) -> ExitCode {
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOME_FAILED) }
}

fn pipeline_options(command: &IngestCommand) -> anyhow::Result<IngestOptions> {
    let gone = match (command.prune, command.force) {
        (false, _) => GoneDocuments::Stay,
        (true, false) => GoneDocuments::Remove,
        (true, true) => GoneDocuments::RemoveHoweverMany,
    };
    Ok(IngestOptions {
        root_name: command.root_name.clone(),
        tags: command.tags.clone(),
        gone,
        dry_run: command.dry_run,
        extract: command.extract.options(),
        extractor: Extractor::in_processes_of_this_program().context("this program cannot be started again")?,
        ..IngestOptions::default()
    })
}

fn not_done(stopped: Stopped, output: &Output) -> anyhow::Error {
    let Stopped { error, report } = stopped;
    let all_ingested = matches!(error, Error::TooManyGone { .. });
    let error = anyhow::Error::new(error);
    if all_ingested {
        output.summary(&report);
    } else if status(&error) == NOT_DONE {
        output.stopped(&report, &format!("{error:#}"));
    }
    error
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
