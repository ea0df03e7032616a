//! The server as one thing that is built, bound, run and shut down: [`Application`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use footnote_ingest::Extractor;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::Chat;
use crate::cli::ServeOptions;
use crate::http::{AccessRules, AppState, Patience, router};
use crate::ingesting::{self, Ingesting};
use crate::jobs::{self, Jobs, Means};
use crate::library::Library;
use crate::parts::{self, Parts};
use crate::server_folder::ServerFolder;
use crate::telemetry::Metrics;
use crate::{listening, serving};

/// How often the collection is rid of old versions and of chunks that never got their document.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// For telling clients that their answers will not come.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A server that is bound and not yet running. What it does comes in boxes, so that it is compiled here and not by each
/// who runs it.
pub struct Application {
    listener: TcpListener,
    local_addr: SocketAddr,
    state: AppState,
    background: TaskTracker,
    stopping: CancellationToken,
    longest_shutdown: Duration,
    /// Says where the server is, for as long as it is there.
    _server_folder: Option<Arc<ServerFolder>>,
}

impl Application {
    /// Opens what the options name and binds the address. What is merely down at the moment is no error; what only a
    /// person can mend is. Files to ingest are parsed by `extractor`.
    pub fn build(options: &ServeOptions, extractor: Extractor) -> BoxFuture<'_, anyhow::Result<Self>> {
        Box::pin(async move {
            let access = AccessRules::new(options.access.keys()?, &options.access.hosts()?);
            ingesting::check(&options.ingest)?;
            let listener = bind(options).await?;
            let local_addr = listener.local_addr().context("the listening address cannot be read")?;
            let Parts { library, retrieval, sessions, answerer, chat_options } = parts::open(options).await?;
            let jobs_folder = jobs::folder_in(&options.store.data_dir);
            let opened = tokio::task::spawn_blocking(|| Jobs::open(jobs_folder)).await?;
            let (jobs, queue) = opened.context("the uploads of an earlier run cannot be read")?;
            let server_folder = ServerFolder::new(options, local_addr).map(Arc::new);
            let access = match &server_folder {
                Some(folder) => access.with_local_token(folder.token()),
                None => access,
            };
            let state = AppState {
                chat: Chat::new(sessions.clone(), retrieval.clone(), answerer, chat_options),
                retrieval,
                library,
                sessions,
                ingesting: Ingesting::default(),
                jobs,
                largest_upload: options.max_upload << 20,
                access,
                metrics: Metrics::install()?,
                patience: Patience::default(),
            };
            let application = Self {
                listener,
                local_addr,
                state,
                background: TaskTracker::new(),
                stopping: CancellationToken::new(),
                longest_shutdown: Duration::from_secs(options.shutdown_timeout),
                _server_folder: server_folder.clone(),
            };
            if let Some(folder) = &server_folder {
                let library = application.state.library.clone();
                match library.max_tokens() {
                    Some(max_tokens) => folder.write(max_tokens),
                    None => application.in_background(Arc::clone(folder).write_when_open(library)),
                }
            }
            application.in_background(sweep(application.state.library.clone()));
            application.in_background(application.state.metrics.clone().upkeep());
            let means =
                Means { library: application.state.library.clone(), extractor: extractor.clone(), server_folder };
            application.in_background(application.state.jobs.clone().work(queue, means));
            if !options.ingest.is_empty() {
                let ingesting = application.state.ingesting.clone();
                let library = application.state.library.clone();
                application.in_background(ingesting.run(options.ingest.clone(), library, extractor));
            }
            Ok(application)
        })
    }

    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.state.patience = patience;
        self
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` completes; then takes nothing new, finishes and saves the answers in flight, and closes.
    pub fn run_until(self, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            let Self { listener, state, background, stopping, longest_shutdown, _server_folder, .. } = self;
            let (chat, sessions, patience) = (state.chat.clone(), state.sessions.clone(), state.patience);
            let serving = serving::serve(listener, router(state), patience.request_head, stopping.clone());
            let mut serving = std::pin::pin!(serving);
            tokio::select! {
                () = &mut serving => unreachable!("it serves until it is told to stop"),
                () = shutdown => {}
            }

            tracing::info!("shutting down: finishing the answers in flight");
            // One deadline for all that is waited for: whoever stops the server kills it some time after.
            let deadline = Instant::now() + longest_shutdown;
            stopping.cancel();
            let mut finished = Box::pin(async {
                serving.await;
                // Answers whose client has gone are finished, too.
                chat.finish().await;
            });
            if timeout_at(deadline, &mut finished).await.is_err() {
                let turns = chat.abandon();
                if turns > 0 {
                    tracing::warn!(turns, "answers in flight did not finish in time and are not saved");
                }
                if timeout(LAST_WORDS, finished).await.is_err() {
                    tracing::warn!("closing connections that did not end by themselves");
                }
            }
            background.close();
            background.wait().await;
            sessions.shutdown().await;
            Ok(())
        })
    }

    /// Runs `work` until it ends or the server stops.
    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.background.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stopping.cancelled() => {}
            }
        });
    }
}

async fn bind(options: &ServeOptions) -> anyhow::Result<TcpListener> {
    let addresses = listening::addresses(&options.listen, &options.access).await?;
    TcpListener::bind(addresses.as_slice()).await.with_context(|| {
        format!("cannot listen on {}; if another server runs there, choose another port with --listen", options.listen)
    })
}

async fn sweep(library: Library) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // While the collection is not open there is nothing to sweep, and its users log why it is not.
        let Ok(opened) = library.open().await else { continue };
        if let Err(error) = opened.collection.sweep_what_is_due().await {
            tracing::warn!(error = %anyhow::Error::new(error), "old versions of documents could not be swept");
        }
        if let Ok(Some(bytes)) = opened.collection.store().log_bytes().await {
            metrics::gauge!("footnote_vector_log_bytes").set(bytes as f64);
        }
    }
}
