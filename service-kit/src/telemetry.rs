//! The output and the metrics of the process. The code that does the work decides what to print and count.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// The variable that filters the output, for example `info,recount_projector=debug`.
pub const FILTER_VARIABLE: &str = "RECOUNT_LOG";

/// From a tenth of a millisecond, a read from memory, to a minute, the longest wait that a client may ask for. In seconds.
const DURATION_BUCKETS: [f64; 18] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
];
/// Sizes, such as of batches, as counts. The names of such metrics end in `_size`.
const SIZE_BUCKETS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];
/// How often measurements are folded into buckets, so that they take no memory when nobody reads the metrics.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The format of an output line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object per line.
    Json,
}

/// Starts the output to stderr. A second call in a process has no effect.
pub fn init(format: OutputFormat) {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE)
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx::postgres::notice=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // An error means that the surrounding test or process has already set up its output.
    let _ = match format {
        OutputFormat::Text => builder.try_init(),
        OutputFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// The metrics of this process. The first call starts the collection.
pub fn metrics_handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    use metrics_exporter_prometheus::Matcher;
    let recorder = PrometheusBuilder::new()
        .set_buckets(&DURATION_BUCKETS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZE_BUCKETS)
        })
        .expect("there are buckets")
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another recorder collects the metrics of this process; /metrics stays empty");
    }
    let upkept = handle.clone();
    let upkeep = move || {
        loop {
            std::thread::sleep(UPKEEP_INTERVAL);
            upkept.run_upkeep();
        }
    };
    if let Err(error) = std::thread::Builder::new().name("metrics".to_owned()).spawn(upkeep) {
        tracing::warn!(%error, "no thread for the upkeep of metrics: they grow until they are read");
    }
    handle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_rendered_in_buckets() {
        let handle = metrics_handle();
        metrics::histogram!("recount_test_seconds").record(0.003);
        metrics::histogram!("recount_test_batch_size").record(3.0);
        let text = handle.render();
        assert!(text.contains("recount_test_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("recount_test_batch_size_bucket{le=\"4\"} 1"), "{text}");
    }
}
