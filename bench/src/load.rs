//! A closed loop: every worker sends its next request when it has the response to the last one. One thread drives them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::cpu::{CpuShares, Processes};

/// How long the last requests may take after the end of the measurement.
const LAST_RESPONSES_TIMEOUT: Duration = Duration::from_secs(60);
/// No response takes longer: the service gives up earlier.
const LATENCY_MICROS_MAX: u64 = 120_000_000;

/// A client that sends one request after another.
pub(crate) trait Worker {
    /// Sends one request and waits for the response. An error ends the worker.
    fn step(&mut self) -> impl Future<Output = anyhow::Result<Step>>;
}

/// The result of one request.
#[derive(Debug)]
pub(crate) enum Step {
    /// This number of commands was acknowledged.
    Acknowledged(u64),
    /// The response was another one: this.
    Refused(String),
}

/// The result of a load.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Commands that were acknowledged during the measurement.
    pub(crate) commands: u64,
    pub(crate) elapsed: Duration,
    /// Latencies of the requests of that time, in microseconds.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) cpu: CpuShares,
    /// Commands that were acknowledged at any time, including the warm-up and the last responses.
    pub(crate) acknowledged: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
}

/// How long the load is measured, and on which processes.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    pub(crate) processes: Processes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measured,
    Over,
}

struct Tally {
    phase: Cell<Phase>,
    commands: Cell<u64>,
    acknowledged: Cell<u64>,
    errors: Cell<u64>,
    first_error: RefCell<Option<String>>,
    latencies: RefCell<Histogram<u64>>,
}

impl Tally {
    fn new() -> anyhow::Result<Tally> {
        const SIGNIFICANT_DIGITS: u8 = 3;
        Ok(Tally {
            phase: Cell::new(Phase::WarmUp),
            commands: Cell::new(0),
            acknowledged: Cell::new(0),
            errors: Cell::new(0),
            first_error: RefCell::new(None),
            latencies: RefCell::new(Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, SIGNIFICANT_DIGITS)?),
        })
    }

    fn acknowledge(&self, commands: u64, latency: Duration) {
        self.acknowledged.set(self.acknowledged.get() + commands);
        if self.phase.get() == Phase::Measured {
            self.commands.set(self.commands.get() + commands);
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latencies.borrow_mut().saturating_record(micros);
        }
    }

    fn fail(&self, error: String) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert(error);
    }
}

/// Runs the workers, measures, and stops them so that every request gets its response.
pub(crate) async fn drive<W: Worker + 'static>(
    workers: Vec<W>,
    measurement: Measurement,
) -> anyhow::Result<Loaded> {
    let tally = Rc::new(Tally::new()?);
    let local = LocalSet::new();
    for worker in workers {
        local.spawn_local(work(worker, Rc::clone(&tally)));
    }
    let (elapsed, cpu) = local
        .run_until(async {
            tokio::time::sleep(measurement.warm_up).await;
            let (began, before) = (Instant::now(), measurement.processes.times()?);
            tally.phase.set(Phase::Measured);
            tokio::time::sleep(measurement.duration).await;
            tally.phase.set(Phase::Over);
            let (elapsed, after) = (began.elapsed(), measurement.processes.times()?);
            anyhow::Ok((elapsed, measurement.processes.shares(before, after, elapsed)))
        })
        .await?;
    if tokio::time::timeout(LAST_RESPONSES_TIMEOUT, local).await.is_err() {
        tally.fail(format!("requests without a response after {} s", LAST_RESPONSES_TIMEOUT.as_secs()));
    }
    Ok(Loaded {
        commands: tally.commands.get(),
        elapsed,
        latencies: tally.latencies.borrow().clone(),
        cpu,
        acknowledged: tally.acknowledged.get(),
        errors: tally.errors.get(),
        first_error: tally.first_error.take(),
    })
}

async fn work<W: Worker>(mut worker: W, tally: Rc<Tally>) {
    while tally.phase.get() != Phase::Over {
        let began = Instant::now();
        match worker.step().await {
            Ok(Step::Acknowledged(commands)) => tally.acknowledge(commands, began.elapsed()),
            Ok(Step::Refused(answer)) => tally.fail(answer),
            Err(error) => {
                tally.fail(format!("{error:#}"));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::Cores;

    struct Counter(Rc<Cell<u64>>);

    impl Worker for Counter {
        async fn step(&mut self) -> anyhow::Result<Step> {
            self.0.set(self.0.get() + 1);
            tokio::task::yield_now().await;
            match self.0.get() {
                3 => Ok(Step::Refused("busy".to_owned())),
                5 => Err(anyhow::anyhow!("lost")),
                _ => Ok(Step::Acknowledged(10)),
            }
        }
    }

    #[tokio::test]
    async fn acknowledged_commands_and_errors_are_counted() {
        let own = std::process::id();
        let processes = Processes { cores: Cores::confine(1).unwrap(), service: own, postgres: own };
        let (warm_up, duration) = (Duration::from_millis(200), Duration::from_millis(50));
        let measurement = Measurement { warm_up, duration, processes };
        let steps = Rc::new(Cell::new(0));
        let loaded = drive(vec![Counter(Rc::clone(&steps))], measurement).await.unwrap();
        assert_eq!(steps.get(), 5);
        assert_eq!((loaded.acknowledged, loaded.errors), (30, 2));
        assert_eq!(loaded.first_error.as_deref(), Some("busy"));
    }
}
