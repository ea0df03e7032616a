//! Logs and metrics: how they are set up. What is measured stands where it happens.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
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

/// A sample of a histogram takes memory until it is folded into its bucket; within this time there are not many.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

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
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is logged like everything else, under the id of the request that met it. Its message only where it
/// is one literal: one that is put together as it happens may quote a text, as those of slicing do.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(tracing::field::display);
    let message = panic.payload().downcast_ref::<&'static str>();
    tracing::error!(panic.message = message, panic.location = location, "panicked");
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
        let recorder = recorder()?;
        let handle = recorder.handle();
        // Two threads may come here at once; the second finds the first one's recorder.
        if metrics::set_global_recorder(recorder).is_ok() {
            let _ = INSTALLED.set(handle);
        }
        Ok(Self(INSTALLED.wait().clone()))
    }

    /// The Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the memory of what is measured within bounds, whether anybody ever asks for it or not. Never ends.
    pub async fn upkeep(self) {
        self.upkeep_every(UPKEEP_EVERY).await;
    }

    async fn upkeep_every(self, period: Duration) {
        let mut every = tokio::time::interval(period);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let durations = Matcher::Suffix("_seconds".to_owned());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(durations, &DURATION_BUCKETS)?.build_recorder())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is logged while `work` runs.
    fn logged(work: impl FnOnce()) -> String {
        let (reader, writer) = std::io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt().with_writer(std::sync::Mutex::new(writer)).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, work);
        std::io::read_to_string(reader).unwrap()
    }

    #[test]
    fn a_panic_is_logged_under_the_requests_id() {
        std::panic::set_hook(Box::new(log_panic));
        let log = logged(|| {
            tracing::error_span!("request", request_id = "the-id").in_scope(|| {
                std::panic::catch_unwind(|| panic!("the defect")).unwrap_err();
                let text = "grün, a secret".to_owned();
                std::panic::catch_unwind(|| text[..3].len()).unwrap_err();
            });
        });
        assert!(!log.contains("secret"), "{log}");
        let _ = std::panic::take_hook();
        for part in ["ERROR", "the-id", "the defect", file!()] {
            assert!(log.contains(part), "no {part} in {log}");
        }
    }

    fn resident_bytes() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }

    #[tokio::test]
    async fn samples_that_nobody_asks_for_take_no_memory() {
        let recorder = recorder().unwrap();
        let upkeep = tokio::spawn(Metrics(recorder.handle()).upkeep_every(Duration::from_micros(1)));
        let before = resident_bytes();
        // 20 million samples of 16 bytes: 320 MB, were they kept.
        for _ in 0..40 {
            metrics::with_local_recorder(&recorder, || {
                let histogram = metrics::histogram!("footnote_test_seconds");
                (0..500_000).for_each(|_| histogram.record(0.1));
            });
            // The upkeep has been due for long, and gets its turn.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        }
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 160 << 20, "{} MiB more than before", grown >> 20);
        upkeep.abort();
    }
}
