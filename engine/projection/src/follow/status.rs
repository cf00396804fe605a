//! The state of a build, for readiness, metrics and operators.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use recount_core::{ErrorChain, LogKey, LogName};

use crate::follow::progress::{Progress, Stopped};

/// Logs whose foreign events were reported. Of further logs they are only counted.
const FOREIGN_LOGS_MAX: usize = 1_000;

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
    /// The logs that cannot be brought forward although the database works, with the last error of each.
    failing: BTreeMap<LogKey, (LogName, String)>,
    /// The logs of which foreign events have come.
    foreign: BTreeSet<LogKey>,
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
    /// The stopped logs, each with the reason.
    pub stopped: Vec<(LogName, Stopped)>,
    /// The logs that cannot be brought forward at the moment, each with its error.
    pub failing: Vec<(LogName, String)>,
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
    /// For the readiness of a process: why the build does not follow its logs, if it does not. A log that has diverged is
    /// a reason, because what was applied of it is wrong. One with an event that cannot be applied is not: it is right up
    /// to there, and the others go on.
    pub fn check(&self) -> Result<(), String> {
        let mut diverged = self.stopped.iter().filter(|(_, stopped)| stopped.is_diverged());
        if let Some((log, _)) = diverged.next() {
            let others = diverged.count();
            let others =
                if others > 0 { format!(", and those of {others} other logs") } else { String::new() };
            return Err(format!(
                "the read models of `{log}`{others} are not made from the log that is in the store; \
                 run `recount read-models remake {log}`"
            ));
        }
        if self.failure.is_some() {
            Err("the read models are held up; the process's output says why".to_owned())
        } else if self.swept {
            Ok(())
        } else {
            Err("the log has not been looked at yet".to_owned())
        }
    }

    /// The same for a process that does nothing but project: a log that does not go on is a reason.
    pub fn check_stopped(&self) -> Result<(), String> {
        if let Some((log, first)) = self.stopped.first() {
            let logs = match self.stopped.len() {
                1 => "1 log is".to_owned(),
                logs => format!("{logs} logs are"),
            };
            return Err(format!("{logs} stopped; `{log}` cannot go on from position {}", first.at));
        }
        match self.failing.first() {
            Some((log, _)) => Err(format!("`{log}` is held up; the process's output says why")),
            None => Ok(()),
        }
    }
}

impl Status {
    pub(crate) fn new(build: &str) -> Status {
        let status = Status(Arc::new(Inner { build: build.to_owned(), state: Mutex::default() }));
        for name in
            ["recount_projection_stopped", "recount_projection_diverged", "recount_projection_failing_logs"]
        {
            status.gauge(name, 0);
        }
        status.gauge("recount_projection_lag_events_max", 0);
        for name in ["recount_projection_events_applied_total", "recount_projection_foreign_events_total"] {
            counter!(name, "build" => build.to_owned()).increment(0);
        }
        status
    }

    pub fn report(&self) -> StatusReport {
        let state = self.state();
        StatusReport {
            build: self.0.build.clone(),
            stopped: state.stopped.values().cloned().collect(),
            failing: state.failing.values().cloned().collect(),
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

    pub(crate) fn is_diverged(&self, log: LogKey) -> bool {
        self.state().stopped.get(&log).is_some_and(|(_, stopped)| stopped.is_diverged())
    }

    /// The stopped logs: another process may have made them go on.
    pub(crate) fn stopped_logs(&self) -> Vec<LogKey> {
        self.state().stopped.keys().copied().collect()
    }

    pub(crate) fn applied(&self, events: u64) {
        counter!("recount_projection_events_applied_total", "build" => self.0.build.clone())
            .increment(events);
        self.state().events_applied += events;
    }

    /// Records that a log has stopped.
    pub(crate) fn stopped(&self, name: &LogName, stopped: &Stopped) {
        let mut state = self.state();
        let known = state.stopped.insert(name.key(), (name.clone(), stopped.clone()));
        if known.is_none_or(|(_, known)| known != *stopped) {
            let message = if stopped.is_diverged() {
                "the log has diverged: its read models are wrong, and stop"
            } else {
                "an event cannot be applied: the read models of this log stop before it"
            };
            tracing::error!(build = self.0.build, log = %name, at = %stopped.at, reason = stopped.reason, message);
        }
        state.failing.remove(&name.key());
        self.count_logs(&state);
    }

    /// Takes over what the database says of a log. A diverged log is stopped in every process, and a stopped one goes on if
    /// another process has applied its event or remade it. An event that another process could not apply is tried by this
    /// one too.
    pub(crate) fn observe(&self, log: LogKey, progress: Option<&Progress>) {
        match progress.and_then(|progress| Some((&progress.name, progress.stopped.as_ref()?))) {
            Some((name, stopped)) if stopped.is_diverged() => self.stopped(name, stopped),
            // It was remade, and another process could not apply an event of it. This one tries too.
            Some(_) if self.is_diverged(log) => self.go_on(log),
            Some(_) => {}
            None => self.go_on(log),
        }
    }

    /// Forgets that the log has stopped.
    fn go_on(&self, log: LogKey) {
        let mut state = self.state();
        if let Some((name, _)) = state.stopped.remove(&log) {
            tracing::info!(build = self.0.build, log = %name, "the read models of this log go on");
            self.count_logs(&state);
        }
    }

    /// Counts events of a feed that the log in the store does not have.
    pub(crate) fn foreign(&self, name: &LogName, events: usize) {
        if events == 0 {
            return;
        }
        counter!("recount_projection_foreign_events_total", "build" => self.0.build.clone())
            .increment(events as u64);
        let mut state = self.state();
        if state.foreign.len() < FOREIGN_LOGS_MAX && state.foreign.insert(name.key()) {
            tracing::warn!(
                build = self.0.build, log = %name,
                "the feed brings events that are not in the log; they are skipped. Another deployment may use the topic"
            );
        }
    }

    /// Records a failure of one log, which is printed once.
    pub(crate) fn log_failed(&self, name: &LogName, error: &(dyn std::error::Error + 'static)) {
        counter!("recount_projection_failures_total", "build" => self.0.build.clone()).increment(1);
        let text = ErrorChain(error).to_string();
        let mut state = self.state();
        let known = state.failing.insert(name.key(), (name.clone(), text.clone()));
        if known.is_none_or(|(_, known)| known != text) {
            tracing::warn!(
                build = self.0.build, log = %name, error = text,
                "the projection cannot apply events of this log and retries; other logs go on"
            );
        }
        self.count_logs(&state);
    }

    /// Records that a log has no failure any more.
    pub(crate) fn log_works(&self, log: LogKey) {
        let mut state = self.state();
        if let Some((name, _)) = state.failing.remove(&log) {
            tracing::info!(build = self.0.build, log = %name, "events of this log can be applied again");
            self.count_logs(&state);
        }
    }

    /// Records a look at the store, and whether all logs have been looked at by now.
    pub(crate) fn looked(&self, lag_events_max: i64, complete: bool) {
        let mut state = self.state();
        state.swept |= complete;
        state.lag_events_max = lag_events_max;
        self.gauge("recount_projection_lag_events_max", lag_events_max);
        // Set with every look, even while they are 0: an alert has to distinguish 0 from a missing metric, and the first
        // value may have been set before a collector was installed.
        self.count_logs(&state);
    }

    fn count_logs(&self, state: &State) {
        let diverged = state.stopped.values().filter(|(_, stopped)| stopped.is_diverged()).count();
        for (name, logs) in [
            ("recount_projection_stopped", state.stopped.len()),
            ("recount_projection_diverged", diverged),
            ("recount_projection_failing_logs", state.failing.len()),
        ] {
            self.gauge(name, i64::try_from(logs).unwrap_or(i64::MAX));
        }
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
        status.looked(0, true);
        let text = metrics.render();
        assert!(text.contains("recount_projection_stopped{build=\"collected_later\"} 0"), "{text}");
    }
}
