//! `ingest PATH…`: opens what is needed, runs the pipeline here or through a server, and says what came of it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use footnote_ingest::{
    Error, GoneDocuments, IngestOptions, Progress, Report, Server, Stopped, discover, ingest, ingest_through,
};
use footnote_knowledge::collection::Collection;
use footnote_knowledge::connect;
use footnote_knowledge::embedding::Embedder;
use footnote_knowledge::options::StoreOptions;
use footnote_knowledge::server_file::ServerFile;
use tempfile::TempDir;

use crate::cli::{IngestCommand, NOT_DONE, SOME_FAILED, status};
use crate::copying;
use crate::output::{self, Output};
use crate::watching::Watch;

/// What was away is looked for again after that, also if nothing changed meanwhile.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Where documents go.
enum Destination {
    Store {
        knowledge: Collection,
        embedder: Box<Embedder>,
        /// Of a dry run where there is no collection yet: it plans for an empty one, which is thrown away.
        _thrown_away: Option<TempDir>,
    },
    Server {
        server: Server,
        max_tokens: Option<usize>,
    },
}

pub(super) async fn run(command: &IngestCommand) -> anyhow::Result<ExitCode> {
    // Before anything is opened: mistyped paths leave no store behind.
    discover::roots(&command.paths, command.root_name.as_deref()).map_err(Error::from)?;
    let output = Output::new(command.output);
    if command.reindex {
        let embedder = open_embedder(command).await?;
        copying::rebuild(command, &embedder, &output).await?;
        if command.paths.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let destination = destination(command, &output).await?;
    let options = pipeline_options(command)?;
    if !command.watch {
        return Ok(exit_code(&run_once(command, &options, &destination, &output).await?));
    }
    watch(command, options, destination, &output).await
}

/// Runs once, and again whenever something changed, until it is stopped.
async fn watch(
    command: &IngestCommand,
    mut options: IngestOptions,
    mut destination: Destination,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let mut watch = Watch::begin(&command.paths, command.root_name.as_deref()).await;
    run_once(command, &options, &destination, output).await?;
    output.note("watching; Ctrl-C stops it");
    let mut last_run_succeeded = true;
    loop {
        let before = tokio::select! {
            before = watch.change() => Some(before),
            () = tokio::time::sleep(TRY_AGAIN_AFTER), if !last_run_succeeded => None,
            stopped = tokio::signal::ctrl_c() => return stopped.map(|()| ExitCode::SUCCESS).map_err(Into::into),
        };
        if let Some(before) = &before {
            // What was removed, was so before our eyes.
            let removed = watch.saw_every_path(before);
            options.gone = if removed { GoneDocuments::RemoveHoweverMany } else { GoneDocuments::Stay };
        }
        options.unchanged_since = before.map(|before| before.files).filter(|_| last_run_succeeded);
        let outcome = run_once(command, &options, &destination, output).await;
        last_run_succeeded = outcome.is_ok();
        if let Err(error) = outcome {
            output::print_error(&format!("error: {error:#}"));
            // The folder may belong to another server by now, or to none.
            if matches!(destination, Destination::Server { .. })
                && let Ok(found) = self::destination(command, output).await
            {
                destination = found;
            }
        }
    }
}

async fn run_once(
    command: &IngestCommand,
    options: &IngestOptions,
    destination: &Destination,
    output: &Output,
) -> anyhow::Result<Report> {
    let report = destination.ingest(command, options, &|event| output.event(&event)).await;
    output.end_progress();
    let report = match report {
        Ok(report) => report,
        Err(stopped) => return Err(not_done(*stopped, output)),
    };
    if report.added + report.updated + report.removed > 0 && !command.dry_run {
        destination.clear_up().await;
    }
    output.summary(&report, command.dry_run);
    Ok(report)
}

async fn open_embedder(command: &IngestCommand) -> anyhow::Result<Embedder> {
    Embedder::open(&command.embedding, &command.openai).await.context("the embedder cannot be used")
}

pub(super) fn exit_code(report: &Report) -> ExitCode {
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOME_FAILED) }
}

/// The server that was named, or the store; or the server that holds the store's folder.
async fn destination(command: &IngestCommand, output: &Output) -> anyhow::Result<Destination> {
    if let Some(url) = &command.server {
        output.note(&format!("documents are sent to {url}"));
        return Ok(Destination::Server {
            server: Server::new(url, command.api_key.first().cloned()),
            max_tokens: None,
        });
    }
    output.text_receivers(&connect::text_receivers(&command.store, &command.embedding, &command.openai));
    let embedder = open_embedder(command).await?;
    let found = if command.dry_run {
        connect::find_collection(&command.store, &embedder).await
    } else {
        connect::open_collection(&command.store, &embedder).await.map(Some)
    };
    match found {
        Ok(Some(knowledge)) => Ok(Destination::Store { knowledge, embedder: Box::new(embedder), _thrown_away: None }),
        Ok(None) => {
            let folder = tempfile::tempdir().context("there is no place for temporary files")?;
            let store = StoreOptions { data_dir: folder.path().to_owned(), qdrant_url: None, ..command.store.clone() };
            let knowledge = connect::open_collection(&store, &embedder).await?;
            Ok(Destination::Store { knowledge, embedder: Box::new(embedder), _thrown_away: Some(folder) })
        }
        Err(error) => {
            let ServerFile { url, token, max_tokens } = ServerFile::of_holder(&command.store.data_dir, error)?;
            output.note(&format!("the data folder belongs to the server at {url}; documents go through it"));
            Ok(Destination::Server { server: Server::new(&url, Some(token)), max_tokens: Some(max_tokens) })
        }
    }
}

impl Destination {
    async fn ingest(
        &self,
        command: &IngestCommand,
        options: &IngestOptions,
        progress: Progress<'_>,
    ) -> Result<Report, Box<Stopped>> {
        match self {
            Self::Store { knowledge, embedder, .. } => {
                ingest(&command.paths, knowledge, embedder, options, progress).await
            }
            Self::Server { server, max_tokens } => {
                ingest_through(server, *max_tokens, &command.paths, options, progress).await
            }
        }
    }

    /// Removes what earlier runs left behind: a version that this run replaced still serves those who are reading it. A
    /// server does so by itself.
    async fn clear_up(&self) {
        if let Self::Store { knowledge, .. } = self
            && let Err(error) = knowledge.sweep().await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old versions could not be removed; the next run will"
            );
        }
    }
}

fn pipeline_options(command: &IngestCommand) -> anyhow::Result<IngestOptions> {
    let gone = match (command.prune || command.watch, command.force) {
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
        extractor: command.extract.extractor()?,
        ..IngestOptions::default()
    })
}

pub(super) fn not_done(stopped: Stopped, output: &Output) -> anyhow::Error {
    let Stopped { error, report } = stopped;
    let all_ingested = matches!(error, Error::TooManyGone { .. });
    let error = anyhow::Error::new(error);
    if all_ingested {
        output.summary(&report, false);
    } else if status(&error) == NOT_DONE {
        output.stopped(&report, &format!("{error:#}"));
    }
    error
}
