//! `footnote documents`.

use clap::{Args, Subcommand};
use footnote_knowledge::options::{EmbeddingOptions, OpenAiOptions, StoreOptions, server_url};
use footnote_knowledge::secret::Secret;

#[derive(Debug, Subcommand)]
pub enum DocumentsCommand {
    /// List documents: id, number of chunks, source, tags
    List {
        /// Only those with this tag
        #[arg(long)]
        tag: Option<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        options: Box<DocumentsOptions>,
    },
    /// Show one document and its text
    Show {
        /// Its id or its source
        document: String,
        /// Print JSON, with the chunks
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        options: Box<DocumentsOptions>,
    },
    /// Delete documents with all their chunks
    Delete {
        /// Their ids or sources
        #[arg(required = true, value_name = "DOCUMENT")]
        documents: Vec<String>,
        #[command(flatten)]
        options: Box<DocumentsOptions>,
    },
}

/// Where the documents are.
#[derive(Debug, Clone, Args)]
pub struct DocumentsOptions {
    /// Ask the server at this address instead of opening the store; that happens by itself when a server on this machine
    /// holds the data folder
    #[arg(long, value_name = "URL", conflicts_with = "qdrant_url", value_parser = server_url)]
    pub server: Option<String>,

    /// Key of that server; where the variable holds several, as the server's own may, the first is used
    #[arg(long, env = "FOOTNOTE_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Vec<Secret>,

    #[command(flatten)]
    pub store: StoreOptions,

    #[command(flatten)]
    pub embedding: EmbeddingOptions,

    #[command(flatten)]
    pub openai: OpenAiOptions,
}
