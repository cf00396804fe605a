//! The state of a build, for readiness, metrics and operators.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use recount_core::{ErrorChain, LogKey, LogName, Position};

use crate::follow::progress::Stopped;

/// The state of a build, shared by its tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Status(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    build: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The stopped logs. Other logs are not listed, so that the metrics do not grow with the number of logs.
    stopped: BTreeMap<LogKey, (LogName, Stopped)>,
    lag_events_max: i64,
    events_applied: u64,
    swept: bool,
    catching: Option<CatchingUp>,
    failure: Option<String>,
}

/// How far a build that is not live has come, over all logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatchingUp {
    /// The events that it has.
    pub events_applied: i64,
    /// The events that it needs, as of some seconds ago.
    pub events: i64,
}

/// The state of a build at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// The schema of the build.
    pub build: String,
    /// The stopped logs, each with the event that cannot be applied.
    pub stopped: Vec<(LogName, Stopped)>,
    /// The lag of the log that is furthest behind, in events, as of the last look at the store.
    pub lag_events_max: i64,
    /// Since the process started.
    pub events_applied: u64,
    /// Whether the process has seen the heads of all logs since it started.
    pub swept: bool,
    /// Set while readers see an older build.
    pub catching: Option<CatchingUp>,
    /// The last failure, until the build works again.
    pub failure: Option<String>,
}

impl StatusReport {
    /// For the readiness of a process: why the build does not follow its logs, if it does not. A stopped log is not a
    /// reason: the others go on.
    pub fn check(&self) -> Result<(), String> {
        if self.failure.is_some() {
            Err("the read models are held up; the process's output says why".to_owned())
        } else if self.swept {
            Ok(())
        } else {
            Err("the log has not been looked at yet".to_owned())
        }
    }

    /// The same for a process that does nothing but project: a stopped log is a reason.
    pub fn check_stopped(&self) -> Result<(), String> {
        let Some((log, first)) = self.stopped.first() else { return Ok(()) };
        let logs = match self.stopped.len() {
            1 => "1 log is".to_owned(),
            logs => format!("{logs} logs are"),
        };
        Err(format!("{logs} stopped; `{log}` cannot go on from position {}", first.at))
    }
}

impl Status {
    pub(crate) fn new(build: &str) -> Status {
        let status = Status(Arc::new(Inner { build: build.to_owned(), state: Mutex::default() }));
        status.gauge("recount_projection_stopped", 0);
        status.gauge("recount_projection_lag_events_max", 0);
        counter!("recount_projection_events_applied_total", "build" => build.to_owned()).increment(0);
        status
    }

    pub fn report(&self) -> StatusReport {
        let state = self.state();
        StatusReport {
            build: self.0.build.clone(),
            stopped: state.stopped.values().cloned().collect(),
            lag_events_max: state.lag_events_max,
            events_applied: state.events_applied,
            swept: state.swept,
            catching: state.catching,
            failure: state.failure.clone(),
        }
    }

    pub(crate) fn is_stopped(&self, log: LogKey) -> bool {
        self.state().stopped.contains_key(&log)
    }

    pub(crate) fn applied(&self, events: u64) {
        counter!("recount_projection_events_applied_total", "build" => self.0.build.clone())
            .increment(events);
        self.state().events_applied += events;
    }

    pub(crate) fn stopped(&self, name: &LogName, before: Position, stopped: &Stopped) {
        tracing::error!(
            build = self.0.build, log = %name, applied = %before, at = %stopped.at, reason = stopped.reason,
            "an event cannot be applied: the read models of this log stop before it"
        );
        let mut state = self.state();
        state.stopped.insert(name.key(), (name.clone(), stopped.clone()));
        let logs = state.stopped.len();
        drop(state);
        self.gauge("recount_projection_stopped", i64::try_from(logs).unwrap_or(i64::MAX));
    }

    pub(crate) fn swept(&self, lag_events_max: i64) {
        let mut state = self.state();
        state.swept = true;
        state.lag_events_max = lag_events_max;
        self.gauge("recount_projection_lag_events_max", lag_events_max);
        // Set with every look, even while it is 0: an alert has to distinguish 0 from a missing metric, and the first
        // value may have been set before a collector was installed.
        self.gauge("recount_projection_stopped", i64::try_from(state.stopped.len()).unwrap_or(i64::MAX));
    }

    /// Records that the build is not live yet.
    pub(crate) fn catches_up(&self, catching: CatchingUp) {
        self.gauge("recount_projection_live", 0);
        self.gauge("recount_projection_missing_events", catching.events - catching.events_applied);
        self.state().catching = Some(catching);
    }

    /// Records that the build is live.
    pub(crate) fn is_live(&self) {
        self.gauge("recount_projection_live", 1);
        self.gauge("recount_projection_missing_events", 0);
        self.state().catching = None;
    }

    /// Records a failure. It is printed once, because every retry may meet it again.
    pub(crate) fn failed(&self, error: &(dyn std::error::Error + 'static)) {
        counter!("recount_projection_failures_total", "build" => self.0.build.clone()).increment(1);
        let text = ErrorChain(error).to_string();
        let mut state = self.state();
        if state.failure.as_ref() != Some(&text) {
            tracing::warn!(
                build = self.0.build,
                error = text,
                "the projection cannot apply events and retries"
            );
            state.failure = Some(text);
        }
    }

    pub(crate) fn mark_healthy(&self) {
        let mut state = self.state();
        if state.failure.take().is_some() {
            tracing::info!(build = self.0.build, "the projection works again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Poisoned means that another task panicked between plain assignments, so the state is valid.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gauge(&self, name: &'static str, value: i64) {
        // Exact up to 2^53, which no count here reaches.
        #[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number")]
        gauge!(name, "build" => self.0.build.clone()).set(value as f64);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_gauge_of_zero_appears_even_if_the_collector_starts_late() {
        let status = Status::new("collected_later");
        let metrics = PrometheusBuilder::new().install_recorder().unwrap();
        status.swept(0);
        let text = metrics.render();
        assert!(text.contains("recount_projection_stopped{build=\"collected_later\"} 0"), "{text}");
    }
}
