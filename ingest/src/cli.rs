//! The command line of `ingest`, and what its exit status means.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use footnote_ingest::extract::ExtractOptions;
use footnote_ingest::{Error, Extractor, Limits, parse_tag};
use footnote_knowledge::collection;
use footnote_knowledge::options::{self, EmbeddingOptions, FileLimitOptions, OpenAiOptions, StoreOptions};
use footnote_knowledge::secret::Secret;

/// Put documents into Footnote's collection.
///
/// Folders are searched for documents, also in zip archives; .gitignore and .footnoteignore are honoured. Files that did
/// not change since the last run are left alone.
#[derive(Debug, Parser)]
#[command(
    name = "ingest",
    version,
    after_help = EXIT_STATUS,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) ingest: IngestCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the text of each file to DIR/<relative path>.txt, and index nothing
    Extract(ExtractCommand),
    /// Copy a collection from the embedded engine to a Qdrant server, without embedding anything again
    Copy(Box<CopyCommand>),
}

#[derive(Debug, Args)]
pub(super) struct IngestCommand {
    /// Files and folders; one called like a command needs ./ before it
    #[arg(required_unless_present = "reindex", value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Tag the documents, for searches to be restricted to; without it they keep the tags they have. Repeatable
    #[arg(long = "tag", value_name = "TAG", value_parser = parse_tag)]
    pub(super) tags: Vec<String>,

    /// First part of the documents' names, in place of the folder's name; with the name that documents have already, it
    /// says that they came from this folder
    #[arg(long, value_name = "NAME")]
    pub(super) root_name: Option<String>,

    /// Remove documents whose files are no longer there; refused if they are more than one in five
    #[arg(long)]
    pub(super) prune: bool,

    /// With --prune or --watch: remove them however many they are
    #[arg(long)]
    pub(super) force: bool,

    /// Go on watching the paths, and ingest and remove what changes, until stopped
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) watch: bool,

    /// Build the collection anew with this embedder if it was built with another one, from the texts that are stored
    #[arg(long, conflicts_with_all = ["dry_run", "server"])]
    pub(super) reindex: bool,

    /// Show what would be done, and write nothing; files are read and cut, but not embedded
    #[arg(long)]
    pub(super) dry_run: bool,

    #[command(flatten)]
    pub(super) extract: ExtractFlags,

    /// Ingest through the server at this address instead of opening its store; that happens by itself when a server on
    /// this machine holds the data folder
    #[arg(long, value_name = "URL", conflicts_with = "qdrant_url", value_parser = options::server_url)]
    pub(super) server: Option<String>,

    /// Key of that server; where the variable holds several, as the server's own may, the first is used
    #[arg(long, env = "FOOTNOTE_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub(super) api_key: Vec<Secret>,

    #[command(flatten)]
    pub(super) output: OutputFlags,

    #[command(flatten)]
    pub(super) store: StoreOptions,

    #[command(flatten)]
    pub(super) embedding: EmbeddingOptions,

    #[command(flatten)]
    pub(super) openai: OpenAiOptions,
}

#[derive(Debug, Args)]
pub(super) struct ExtractCommand {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Folder for the texts, which is made if it is not there; with several paths, each has its own in it
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,

    #[command(flatten)]
    pub(super) extract: ExtractFlags,

    #[command(flatten)]
    pub(super) output: OutputFlags,
}

#[derive(Debug, Args)]
pub(super) struct CopyCommand {
    /// Data folder of the embedded engine; no server may be using it
    #[arg(long, value_name = "DIR", value_parser = existing_folder)]
    pub(super) from: PathBuf,

    /// Qdrant server or cluster (gRPC, e.g. http://localhost:6334)
    #[arg(long, value_name = "URL", value_parser = options::server_url)]
    pub(super) to: String,

    /// API key of the Qdrant server
    #[arg(long, env = "FOOTNOTE_QDRANT_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub(super) qdrant_api_key: Option<Secret>,

    /// Name of the collection, here and there
    #[arg(long, env = "FOOTNOTE_COLLECTION", value_name = "NAME", default_value = "documents")]
    pub(super) collection: String,

    #[command(flatten)]
    pub(super) output: OutputFlags,

    #[command(flatten)]
    pub(super) embedding: EmbeddingOptions,

    #[command(flatten)]
    pub(super) openai: OpenAiOptions,
}

/// How much is told of a run, and to whom.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OutputFlags {
    /// Print failures only
    #[arg(long, conflicts_with = "json")]
    pub(super) quiet: bool,

    /// Print one JSON object per event and line
    #[arg(long)]
    pub(super) json: bool,
}

/// What to take of files.
#[derive(Debug, Args)]
pub(super) struct ExtractFlags {
    /// Take only this field of JSON records, and what is in it; `address.city` is a field in a field. Repeatable
    #[arg(long = "json-field", value_name = "FIELD")]
    json_fields: Vec<String>,

    #[command(flatten)]
    limits: FileLimitOptions,
}

impl ExtractFlags {
    pub(super) fn options(&self) -> ExtractOptions {
        ExtractOptions { json_fields: self.json_fields.clone() }
    }

    pub(super) fn extractor(&self) -> anyhow::Result<Extractor> {
        let limits = Limits::from(&self.limits);
        Extractor::in_processes_of_this_program(limits).context("this program cannot be started again")
    }
}

const EXIT_STATUS: &str = "Exit status: 0 done, 1 done but for some files or paths that failed, 2 wrong use, 3 not done: \
                           the vector store or the embedder could not be reached, or failed";
pub(super) const SOME_FAILED: u8 = 1;
pub(super) const WRONG_USE: u8 = 2;
pub(super) const NOT_DONE: u8 = 3;

fn existing_folder(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.is_dir() { Ok(path) } else { Err("there is no such folder".to_owned()) }
}

/// Of a run that ended in an error.
pub(super) fn status(error: &anyhow::Error) -> u8 {
    let collection_error = match error.downcast_ref::<Error>() {
        Some(Error::Paths(_) | Error::TooManyGone { .. }) => return WRONG_USE,
        Some(Error::Collection(error)) => Some(error),
        Some(Error::Embedding { .. } | Error::Server(_)) => None,
        None => error.downcast_ref::<collection::Error>(),
    };
    match collection_error {
        Some(collection::Error::InvalidName { .. } | collection::Error::FingerprintMismatch { .. }) => WRONG_USE,
        Some(_) | None => NOT_DONE,
    }
}
