//! Opens what the options name: documents, sessions and the model. `serve` puts the parts together, `doctor` looks at
//! each of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use footnote_knowledge::cross_encoder::CrossEncoder;
use footnote_knowledge::embedding::{Embedder, LocalEmbedder, Tokenizer};
use footnote_knowledge::options::{EmbedderKind, EmbeddingOptions, OpenAiOptions};

use crate::chat::ChatOptions;
use crate::chat::history::HistoryWindow;
use crate::cli::{self, ModelOptions, RerankerKind, ServeOptions, SessionsKind};
use crate::library::Library;
use crate::llm::prompt::PromptTemplates;
use crate::llm::{Answerer, Extractive, OpenAiChat, OpenAiChatOptions, PromptBudget, Retries, Timeouts, TokenCounter};
use crate::retrieval::{Endpoint, EndpointOptions, Reranker, Retrieval};
use crate::sessions::{SessionOptions, Sessions, StoreChoice};

/// Everything a turn of chat needs.
pub(crate) struct Parts {
    pub(crate) library: Library,
    pub(crate) retrieval: Retrieval,
    pub(crate) sessions: Sessions,
    pub(crate) answerer: Answerer,
    pub(crate) chat_options: ChatOptions,
}

/// What is merely down is no error here; what only a person can mend is.
pub(crate) async fn open(options: &ServeOptions) -> anyhow::Result<Parts> {
    let built_in = built_in_embedder(&options.embedding).await?;
    let library = library(options, built_in.clone());
    let cross_encoder = cross_encoder(built_in.as_deref());
    let reranker = reranker(&options.rerank, options.model.is_extractive(&options.openai), &cross_encoder)?;
    let answerer = answerer(&options.model, &options.openai, built_in.as_deref(), cross_encoder)?;
    let sessions = sessions(&options.sessions, &options.store.data_dir, Journaling::On).await?;
    library.open_at_start().await?;
    let chat_options = ChatOptions {
        history: HistoryWindow {
            messages: options.sessions.history_messages,
            tokens: options.sessions.history_tokens,
            tokenizer: match &built_in {
                Some(embedder) => embedder.tokenizer().clone(),
                None => Tokenizer::cautious()?,
            },
        },
        model_timeout: Duration::from_secs(options.model.model_timeout),
        condense_timeout: Duration::from_millis(options.model.condense_timeout),
    };
    let retrieval = Retrieval::new(library.clone(), reranker);
    Ok(Parts { library, retrieval, sessions, answerer, chat_options })
}

/// Whether turns of an outage are kept on disk, and those that an earlier process kept are sent. A command that looks at
/// sessions for a moment leaves them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journaling {
    On,
    Off,
}

pub(crate) async fn sessions(
    options: &cli::SessionOptions,
    data_dir: &Path,
    journaling: Journaling,
) -> anyhow::Result<Sessions> {
    let cli::SessionOptions {
        redis_url,
        redis_ca,
        redis_timeout,
        session_ttl,
        max_messages,
        history_messages,
        journal_size,
        ..
    } = options;
    let store = match options.kind() {
        SessionsKind::Redis => StoreChoice::Redis {
            url: redis_url.clone().context("--sessions redis needs --redis-url (or REDIS_URL)")?,
            ca: redis_ca.clone(),
            timeout: Duration::from_millis(*redis_timeout),
        },
        SessionsKind::Embedded => StoreChoice::Embedded { data_dir: data_dir.to_owned() },
        SessionsKind::Memory => StoreChoice::Memory,
    };
    let defaults = SessionOptions::new(store);
    let session_options = SessionOptions {
        ttl: (*session_ttl > 0).then(|| Duration::from_secs(*session_ttl)),
        max_messages: usize::try_from(*max_messages)?,
        recent_messages: defaults.recent_messages.max(*history_messages),
        pending_bytes: journal_size.saturating_mul(1 << 20),
        journal: (journaling == Journaling::On).then(|| data_dir.to_owned()),
        ..defaults
    };
    Sessions::open(session_options).await.context("the sessions cannot be opened")
}

/// The built-in embedder, if it is the one that was asked for.
pub(crate) async fn built_in_embedder(embedding: &EmbeddingOptions) -> anyhow::Result<Option<Arc<Embedder>>> {
    Ok(match embedding.embedder {
        EmbedderKind::Local => Some(Arc::new(Embedder::Local(LocalEmbedder::open().await?))),
        EmbedderKind::Openai => None,
    })
}

pub(crate) fn library(options: &ServeOptions, built_in: Option<Arc<Embedder>>) -> Library {
    Library::new(options.store.clone(), options.embedding.clone(), options.openai.clone(), built_in)
}

/// The built-in model that reads question and text together, for whoever asks it; nothing of it is loaded yet.
pub(crate) fn cross_encoder(built_in: Option<&Embedder>) -> CrossEncoder {
    CrossEncoder::new(built_in.map(|embedder| embedder.tokenizer().clone()))
}

pub(crate) fn reranker(
    options: &cli::RerankOptions,
    answers_are_extractive: bool,
    cross_encoder: &CrossEncoder,
) -> anyhow::Result<Option<Reranker>> {
    let kind = options.kind(answers_are_extractive);
    let candidates = options.candidates(kind);
    Ok(match kind {
        RerankerKind::None => None,
        RerankerKind::Local => Some(Reranker::local(cross_encoder.clone(), candidates)),
        RerankerKind::Endpoint => {
            let endpoint = Endpoint::new(EndpointOptions {
                url: options.rerank_url.clone().context("--reranker endpoint needs --rerank-url")?,
                api_key: options.rerank_api_key.clone(),
                model: options.rerank_model.clone(),
                timeout: Duration::from_millis(options.rerank_timeout),
            })?;
            Some(Reranker::endpoint(endpoint, candidates))
        }
    })
}

/// The remote model that was asked for, else the extractive answerer. Both count tokens with the tables of `built_in`, if it
/// is open.
pub(crate) fn answerer(
    model: &ModelOptions,
    openai: &OpenAiOptions,
    built_in: Option<&Embedder>,
    cross_encoder: CrossEncoder,
) -> anyhow::Result<Answerer> {
    let prompt = PromptTemplates::load(model.system_prompt.as_deref(), model.prompt.as_deref(), model.scope())?;
    let Some(name) = model.remote_model(openai) else {
        return Ok(Answerer::Extractive(Extractive::new(cross_encoder, model.scope())));
    };
    // Its tables take ten megabytes: one in a process is enough.
    let of_unknown = match built_in {
        Some(embedder) => embedder.tokenizer().to_cautious(),
        None => Tokenizer::cautious()?,
    };
    let remote = OpenAiChat::new(OpenAiChatOptions {
        base_url: openai.base_url().to_owned(),
        api_key: openai.openai_api_key.clone(),
        proxy: openai.openai_proxy.clone(),
        model: name.to_owned(),
        prompt,
        budget: PromptBudget {
            tokens: model.context_tokens as usize,
            counter: TokenCounter::of_model(name, of_unknown),
        },
        timeouts: Timeouts { between_tokens: Duration::from_secs(model.model_idle_timeout), ..Timeouts::default() },
        retries: Retries::default(),
    })?;
    Ok(Answerer::OpenAi(Box::new(remote)))
}
