//! The command line of `footnote`: one struct per concern, each field with its variable and default.

mod access;
mod documents;
mod eval;
mod rerank;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use footnote_knowledge::options::{EmbeddingOptions, FileLimitOptions, OpenAiOptions, StoreOptions, server_url};
use footnote_knowledge::secret::Secret;

use crate::llm::Scope;

pub use access::{AccessOptions, check_key};
pub use documents::{DocumentsCommand, DocumentsOptions};
pub use eval::{EvalHistory, EvalOptions};
pub use rerank::{RerankOptions, RerankerKind};

/// A hundred years: "for ever" in a number, which clocks can still add up.
const MOST_SECONDS: u64 = 100 * 365 * 86_400;

/// Answers questions from your own documents, shows the passages it used, and remembers the conversation.
#[derive(Debug, Parser)]
#[command(name = "footnote", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// `serve` is the default command, so its options may stand alone.
    #[command(flatten)]
    pub serve: ServeOptions,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the chat server (the default command)
    Serve(Box<ServeOptions>),
    /// Talk to a running server from the terminal
    Chat(ChatClientOptions),
    /// Move conversations from one store to another, or keep a copy of them
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// List, show and delete the documents of a collection
    #[command(subcommand)]
    Documents(DocumentsCommand),
    /// Ask a running server one question
    Ask(AskOptions),
    /// Check everything the server would use, and say what to do about what is wrong
    Doctor(Box<ServeOptions>),
    /// Measure retrieval, and answers, on a set of questions with known answers
    Eval(Box<EvalOptions>),
}

#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// Address to listen on; anything but loopback needs --api-key or --allow-anonymous
    #[arg(long, env = "FOOTNOTE_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// Ingest this file or folder at start, while already listening (repeatable; in the variable separated by commas)
    #[arg(long, env = "FOOTNOTE_INGEST", value_name = "PATH")]
    pub ingest: Vec<PathBuf>,

    /// Largest upload of documents in one request, in MiB
    #[arg(long, env = "FOOTNOTE_MAX_UPLOAD", value_name = "MIB", default_value_t = 256)]
    pub max_upload: usize,

    /// Longest time that a stop waits for the answers in flight, in seconds
    #[arg(long, env = "FOOTNOTE_SHUTDOWN_TIMEOUT", value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub shutdown_timeout: u64,

    #[command(flatten)]
    pub access: AccessOptions,
    #[command(flatten)]
    pub store: StoreOptions,
    #[command(flatten)]
    pub file_limits: FileLimitOptions,
    #[command(flatten)]
    pub embedding: EmbeddingOptions,
    #[command(flatten)]
    pub sessions: SessionOptions,
    #[command(flatten)]
    pub rerank: RerankOptions,
    #[command(flatten)]
    pub openai: OpenAiOptions,
    #[command(flatten)]
    pub model: ModelOptions,
    #[command(flatten)]
    pub log: LogOptions,
}

/// Where conversations are kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sessions")]
pub struct SessionOptions {
    /// Where sessions are kept; the default is `redis` when a Redis URL is given, else `embedded`
    #[arg(long, env = "FOOTNOTE_SESSIONS", value_enum, value_name = "KIND")]
    pub sessions: Option<SessionsKind>,

    /// Redis or Valkey: redis://host:6379/0, redis+unix:///path, redis+sentinel://host:26379,host2:26379/MASTER or
    /// redis+cluster://host:6379,host2:6379; rediss instead of redis for TLS
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,

    /// PEM file of the CA that signed Redis' certificate, if it is not one that the system trusts
    #[arg(long, env = "FOOTNOTE_REDIS_CA", value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,

    /// Longest wait for one call to Redis, in milliseconds
    #[arg(long, env = "FOOTNOTE_REDIS_TIMEOUT", value_name = "MS", default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub redis_timeout: u64,

    /// Seconds a session lives after its last use; 0 keeps it for ever
    #[arg(long, env = "FOOTNOTE_SESSION_TTL", value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(..=MOST_SECONDS))]
    pub session_ttl: u64,

    /// Messages of the conversation that go into the prompt
    #[arg(long, env = "FOOTNOTE_HISTORY_MESSAGES", value_name = "N", default_value_t = 5)]
    pub history_messages: usize,

    /// Longest part of the conversation that goes into the prompt, in tokens; only whole messages do
    #[arg(long, env = "FOOTNOTE_HISTORY_TOKENS", value_name = "N", default_value_t = 4000)]
    pub history_tokens: usize,

    /// Messages kept per session; the oldest turns go first
    #[arg(long, env = "FOOTNOTE_MAX_MESSAGES", value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(2..))]
    pub max_messages: u64,

    /// Room for turns that wait on disk while Redis is away, in MiB; turns beyond it are answered and not saved
    #[arg(long, env = "FOOTNOTE_JOURNAL_SIZE", value_name = "MIB", default_value_t = 64)]
    pub journal_size: usize,
}

impl SessionOptions {
    /// Where sessions are kept: what was asked for, else Redis when there is a URL of one.
    pub fn kind(&self) -> SessionsKind {
        let default = if self.redis_url.is_some() { SessionsKind::Redis } else { SessionsKind::Embedded };
        self.sessions.unwrap_or(default)
    }
}

#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// Write conversations to standard output, one a line, as JSON
    Export(ExportOptions),
    /// Put conversations that `export` wrote into a store
    Import(ImportOptions),
}

#[derive(Debug, Clone, Args)]
pub struct ExportOptions {
    /// The conversations to export; all, if none is named
    #[arg(value_name = "SESSION_ID")]
    pub session_id: Vec<String>,

    #[command(flatten)]
    pub store: SessionStoreOptions,
}

#[derive(Debug, Clone, Args)]
pub struct ImportOptions {
    /// What `export` wrote; standard input, if it is not given
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Replace conversations that are there already
    #[arg(long)]
    pub replace: bool,

    #[command(flatten)]
    pub store: SessionStoreOptions,
}

/// The store of `sessions export` and `import`.
#[derive(Debug, Clone, Args)]
pub struct SessionStoreOptions {
    /// Folder of the embedded session store
    #[arg(long, env = "FOOTNOTE_DATA_DIR", value_name = "DIR", default_value = "./footnote-data")]
    pub data_dir: PathBuf,

    #[command(flatten)]
    pub sessions: SessionOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SessionsKind {
    Redis,
    Embedded,
    Memory,
}

/// Which model answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Answers")]
pub struct ModelOptions {
    /// Chat model to ask for; it, or OPENAI_BASE_URL, turns the remote model on (then the default is gpt-4o-mini)
    #[arg(long, env = "FOOTNOTE_CHAT_MODEL", value_name = "MODEL")]
    pub chat_model: Option<String>,

    /// Template of the message that asks a chat model, in place of the built-in one; with {{sources}}, {{history}} and
    /// {{question}} in it, each once
    #[arg(long, env = "FOOTNOTE_PROMPT", value_name = "FILE")]
    pub prompt: Option<PathBuf>,

    /// System message for a chat model, in place of the built-in rules on citing and abstaining; without placeholders
    #[arg(long, env = "FOOTNOTE_SYSTEM_PROMPT", value_name = "FILE")]
    pub system_prompt: Option<PathBuf>,

    /// Say that the documents do not contain an answer where they do not; false lets a model go on from what it knows, and
    /// the extractive answerer quote whatever is nearest
    #[arg(long, env = "FOOTNOTE_ANSWER_ONLY_FROM_DOCUMENTS", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub answer_only_from_documents: bool,

    /// Longest time a chat model may take to rewrite a follow-up question so that it stands alone, in milliseconds; after it,
    /// and with 0 always, rules do
    #[arg(long, env = "FOOTNOTE_CONDENSE_TIMEOUT", value_name = "MS", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub condense_timeout: u64,

    /// Longest prompt for a chat model, in tokens: instructions, passages, conversation and question. Beyond it, the
    /// worst passages and the oldest messages are left out; at least 60 % are the passages'
    #[arg(long, env = "FOOTNOTE_CONTEXT_TOKENS", value_name = "N", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1024..))]
    pub context_tokens: u32,

    /// Longest time a chat model may take for one answer, from the question to the last word, in seconds
    #[arg(long, env = "FOOTNOTE_MODEL_TIMEOUT", value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub model_timeout: u64,

    /// Longest silence of a chat model after the first word of its answer, in seconds; before it, only
    /// --model-timeout counts
    #[arg(long, env = "FOOTNOTE_MODEL_IDLE_TIMEOUT", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub model_idle_timeout: u64,
}

impl ModelOptions {
    /// What most people have access to when they gave a URL and no name.
    pub const DEFAULT_CHAT_MODEL: &str = "gpt-4o-mini";

    pub fn scope(&self) -> Scope {
        if self.answer_only_from_documents { Scope::DocumentsOnly } else { Scope::DocumentsFirst }
    }

    /// Whether sentences of the documents answer, and no model.
    pub fn is_extractive(&self, openai: &OpenAiOptions) -> bool {
        self.remote_model(openai).is_none()
    }

    /// The remote model to use, if one was asked for.
    pub fn remote_model<'a>(&'a self, openai: &OpenAiOptions) -> Option<&'a str> {
        match (&self.chat_model, &openai.openai_base_url) {
            (Some(model), _) => Some(model),
            (None, Some(_)) => Some(Self::DEFAULT_CHAT_MODEL),
            (None, None) => None,
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogOptions {
    /// Form of the log: lines for people, or one JSON object per line
    #[arg(long, env = "FOOTNOTE_LOG_FORMAT", value_enum, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// What to log, as in `info` or `footnote=debug,warn`
    #[arg(long, env = "FOOTNOTE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Args)]
pub struct AskOptions {
    /// The question
    pub question: String,

    /// Show what led to the answer: the search, its candidates, the prompt, the citation checks, the time of each step
    #[arg(long)]
    pub explain: bool,

    #[command(flatten)]
    pub client: ChatClientOptions,
}

#[derive(Debug, Clone, Args)]
pub struct ChatClientOptions {
    /// The server to talk to
    #[arg(long, env = "FOOTNOTE_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8080",
        value_parser = server_url)]
    pub server: String,

    /// Key of that server; where the variable holds several, as the server's own may, the first is used
    #[arg(long, env = "FOOTNOTE_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Vec<Secret>,

    /// Conversation to continue; without it a new one is begun
    #[arg(long, env = "FOOTNOTE_USER_ID", value_name = "ID", hide_env_values = true)]
    pub user_id: Option<String>,
}
