//! The command-line groups that the server and `ingest` share, and how their values are found.
//!
//! Precedence: flag, environment, `.env`, default; an empty variable counts as unset. Only clap reads the environment:
//! `.env` and the empty-is-unset rule are worked into the command before it parses.

mod embedder_choice;
mod environment;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reqwest::Url;
use serde::{Deserialize, Serialize};

pub use embedder_choice::EmbedderChoice;
pub use environment::parse;

use crate::secret::Secret;

/// The address of a server, as a flag gives it.
pub fn server_url(given: &str) -> Result<String, String> {
    let is_address = |url: Url| url.has_host() && ["http", "https"].contains(&url.scheme());
    if Url::parse(given).is_ok_and(is_address) {
        Ok(given.to_owned())
    } else {
        Err("it is no address of a server; one looks like http://HOST:PORT".to_owned())
    }
}

/// Where vectors live.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Documents")]
pub struct StoreOptions {
    /// Folder of the embedded engine, the embedded sessions and the local state
    #[arg(long, env = "FOOTNOTE_DATA_DIR", value_name = "DIR", default_value = "./footnote-data")]
    pub data_dir: PathBuf,

    /// Qdrant server or cluster (gRPC, e.g. http://localhost:6334); without it the embedded engine is used
    #[arg(long, env = "QDRANT_URL", value_name = "URL", hide_env_values = true)]
    pub qdrant_url: Option<String>,

    /// API key of the Qdrant server
    #[arg(long, env = "FOOTNOTE_QDRANT_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub qdrant_api_key: Option<Secret>,

    /// Name of the collection
    #[arg(long, env = "FOOTNOTE_COLLECTION", value_name = "NAME", default_value = "documents")]
    pub collection: String,
}

/// What one file may take when it is read, so that one which is broken, or made to do harm, costs itself only.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits of one file")]
pub struct FileLimitOptions {
    /// Longest time that parsing one file may take, in seconds
    #[arg(long, env = "FOOTNOTE_MAX_FILE_SECONDS", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub max_file_seconds: u64,

    /// Most memory that parsing one file may take, in MiB
    #[arg(long, env = "FOOTNOTE_MAX_FILE_MEMORY", value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(512..=1 << 20))]
    pub max_file_memory: u64,

    /// Largest file, in MiB; by default 4 to 128, which differs by format
    #[arg(long, env = "FOOTNOTE_MAX_FILE_SIZE", value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub max_file_size: Option<u64>,
}

/// Which model turns text into vectors.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Embeddings")]
pub struct EmbeddingOptions {
    /// `local` is the built-in all-MiniLM-L6-v2; `openai` any OpenAI-compatible /v1/embeddings endpoint
    #[arg(long, env = "FOOTNOTE_EMBEDDER", value_enum, value_name = "KIND", default_value = "local")]
    pub embedder: EmbedderKind,

    /// Model to ask the /v1/embeddings endpoint for
    #[arg(long, env = "FOOTNOTE_EMBEDDING_MODEL", value_name = "MODEL", default_value = "text-embedding-3-small")]
    pub embedding_model: String,

    /// Tokens of one text that this model takes; longer texts are embedded part by part. By default 8191 for OpenAI's own
    /// models (`text-embedding-…`) and 512 for others
    #[arg(long, env = "FOOTNOTE_EMBEDDING_MAX_TOKENS", value_name = "N", value_parser = parse_max_tokens)]
    pub embedding_max_tokens: Option<usize>,
}

/// There is no model that takes less, and the pieces would say nothing.
const FEWEST_TOKENS: usize = 32;

fn parse_max_tokens(value: &str) -> Result<usize, String> {
    let tokens: usize = value.parse().map_err(|_| "not a number".to_owned())?;
    if tokens >= FEWEST_TOKENS { Ok(tokens) } else { Err(format!("at least {FEWEST_TOKENS}")) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbedderKind {
    Local,
    Openai,
}

/// The OpenAI-compatible endpoint. A key alone sends nothing anywhere: a chat model or `--embedder openai` does.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "OpenAI-compatible endpoint")]
pub struct OpenAiOptions {
    /// Base URL of an OpenAI-compatible API, e.g. http://localhost:11434/v1
    #[arg(long, env = "OPENAI_BASE_URL", value_name = "URL", hide_env_values = true)]
    pub openai_base_url: Option<String>,

    /// Key for it
    #[arg(long, env = "OPENAI_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub openai_api_key: Option<Secret>,

    /// Proxy to reach it through; proxies in HTTP_PROXY, HTTPS_PROXY and ALL_PROXY are not used
    #[arg(long, env = "FOOTNOTE_OPENAI_PROXY", value_name = "URL", hide_env_values = true)]
    pub openai_proxy: Option<Secret>,
}

impl OpenAiOptions {
    /// Where the endpoint is when only a model or an embedder was asked for.
    pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

    pub fn base_url(&self) -> &str {
        self.openai_base_url.as_deref().unwrap_or(Self::DEFAULT_BASE_URL)
    }
}
