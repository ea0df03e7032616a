//! Logs and metrics: how they are set up. What is measured stands where it happens.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use footnote_knowledge::embedding::CLIENT_LOG_TARGET;
use footnote_knowledge::vector_store::ENGINE_LOG_TARGET;

use crate::cli::{LogFormat, LogOptions};
use crate::sessions::REDIS_LOG_TARGET;

/// Seconds; from a warm read of a session to a slow model.
const DURATION_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Logs to standard error, so that standard output stays for what a command says.
pub fn start_tracing(options: &LogOptions) -> anyhow::Result<()> {
    // The embedded engine warns of settings that only a Qdrant server has, and the Redis library of each attempt to reach a
    // node; an outage is logged by the sessions, once. A filter that names them hears them all the same.
    let filter = EnvFilter::try_new(format!("{ENGINE_LOG_TARGET}=error,{REDIS_LOG_TARGET}=off,{}", options.log))
        .map_err(|error| anyhow::anyhow!("--log {:?} is no filter: {error}", options.log))?;
    // Not a directive of the filter, which a more particular one could override: no message text is ever logged.
    let quotes_no_texts = filter_fn(|metadata| !metadata.target().starts_with(CLIENT_LOG_TARGET));
    let layer =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let layer = match options.log_format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_events(FmtSpan::NONE).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter.and(quotes_no_texts))).init();
    Ok(())
}

/// The process's metrics, ready to be rendered.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// One recorder serves the whole process, however many servers a test starts in it.
    pub fn install() -> anyhow::Result<Self> {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        if let Some(handle) = INSTALLED.get() {
            return Ok(Self(handle.clone()));
        }
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        // Two threads may come here at once; the second finds the first one's recorder.
        if metrics::set_global_recorder(recorder).is_ok() {
            let _ = INSTALLED.set(handle);
        }
        Ok(Self(INSTALLED.wait().clone()))
    }

    /// The Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}
