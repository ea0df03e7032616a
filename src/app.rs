//! The server as one thing that is built, bound, run and shut down: [`Application`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::Chat;
use crate::cli::ServeOptions;
use crate::http::{AccessRules, AppState, router};
use crate::ingesting::Ingesting;
use crate::library::Library;
use crate::parts::{self, Parts};
use crate::retrieval::Retrieval;
use crate::telemetry::Metrics;

/// After a signal, answers in flight get this long; a container's stop usually allows 30 s in all.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(25);

/// How often the collection is rid of old versions and of chunks that never got their document.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// A server that is bound and not yet running.
pub struct Application {
    listener: TcpListener,
    local_addr: SocketAddr,
    state: AppState,
    background: TaskTracker,
    stopping: CancellationToken,
}

impl Application {
    /// Opens what the options name and binds the address. What is merely down at the moment is no error; what only a
    /// person can mend is.
    pub async fn build(options: &ServeOptions) -> anyhow::Result<Self> {
        let listener = bind(options).await?;
        let local_addr = listener.local_addr().context("the listening address cannot be read")?;
        let Parts { library, sessions, answerer, chat_options } = parts::open(options).await?;
        let retrieval = Retrieval::new(library.clone());
        let state = AppState {
            chat: Chat::new(sessions.clone(), retrieval.clone(), answerer, chat_options),
            retrieval,
            library,
            sessions,
            ingesting: Ingesting::default(),
            access: AccessRules::new(&options.access.api_key, &options.access.allowed_host),
            metrics: Metrics::install()?,
        };
        let application =
            Self { listener, local_addr, state, background: TaskTracker::new(), stopping: CancellationToken::new() };
        application.ingest(options)?;
        application.in_background(sweep(application.state.library.clone()));
        Ok(application)
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` completes; then takes nothing new, finishes and saves the answers in flight, and closes.
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let Self { listener, state, background, stopping, .. } = self;
        let (chat, sessions) = (state.chat.clone(), state.sessions.clone());
        let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
        // A delta is a small packet that must not wait for the next one.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });

        let stop = stopping.clone();
        let announced = async move {
            shutdown.await;
            tracing::info!("shutting down: finishing the answers in flight");
            stop.cancel();
        };
        let serving = async { axum::serve(listener, service).with_graceful_shutdown(announced).await };
        // A client that never closes its connection must not keep the server from stopping.
        let too_long = async {
            stopping.cancelled().await;
            tokio::time::sleep(LONGEST_SHUTDOWN).await;
        };
        tokio::select! {
            served = serving => served.context("the server stopped serving")?,
            () = too_long => tracing::warn!("closing connections that did not end by themselves"),
        }

        if tokio::time::timeout(LONGEST_SHUTDOWN, chat.finish()).await.is_err() {
            tracing::warn!("answers in flight did not finish in time and are not saved");
        }
        background.close();
        background.wait().await;
        sessions.shutdown().await;
        Ok(())
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

    /// Begins to ingest what the options name, if anything.
    fn ingest(&self, options: &ServeOptions) -> anyhow::Result<()> {
        if let Some(missing) = options.ingest.iter().find(|path| !path.exists()) {
            bail!("--ingest {}: there is no such file or folder", missing.display());
        }
        if !options.ingest.is_empty() {
            let ingesting = self.state.ingesting.clone();
            self.in_background(ingesting.run(options.ingest.clone(), self.state.library.clone()));
        }
        Ok(())
    }
}

async fn bind(options: &ServeOptions) -> anyhow::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(&options.listen)
        .await
        .with_context(|| format!("--listen {:?} is no HOST:PORT", options.listen))?
        .collect();
    let open_to_others = addresses.iter().any(|address| !is_loopback(address.ip()));
    if open_to_others && options.access.api_key.is_empty() && !options.access.allow_anonymous {
        bail!(
            "--listen {} is reachable from other machines and there is no key; set --api-key KEY (or FOOTNOTE_API_KEY), \
             or --allow-anonymous if everyone who can reach it may read every document",
            options.listen
        );
    }
    TcpListener::bind(addresses.as_slice()).await.with_context(|| {
        format!("cannot listen on {}; if another server runs there, choose another port with --listen", options.listen)
    })
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
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
