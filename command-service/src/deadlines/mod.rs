//! Deadlines: submits by itself what a domain wants done at a moment.
//!
//! The store knows what falls due and when, from the events; the domain knows by which command each is met. The worker
//! sees that every deadline that is due gets its command, also after a long stop. What is due is looked up in the
//! store and nowhere else, so a process that starts, or that comes to help, has nothing to catch up with.
//!
//! Several processes may do so at once: each deadline has one idempotency key, whoever submits it, and the domain
//! finds nothing to do once it is done. The process that writes a log has a head start for it, so the others seldom
//! get in its way. It knows no domain.

mod tried;
mod turn;
mod worker;

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_service_kit::clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::{Domain, Engine};
use worker::Worker;

/// How the worker goes about it.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The longest between two looks into the store. It looks earlier when the next deadline falls due.
    pub poll: Duration,
    /// How long a deadline is left to the processes that write its log, if this one does not; up to half as long again,
    /// another time for each log and process. With `poll` this is how late a deadline is met that nobody is quick with.
    pub head_start: Duration,
    /// How long a deadline is left alone whose command did not clear it, and a log that is in trouble. The time doubles
    /// each time, for a deadline up to `retry_max`.
    pub retry_first: Duration,
    /// Longer than a writer stays without work: what is stuck for good must not keep one.
    pub retry_max: Duration,
    /// The clock by which a deadline is due. The domain decides by that of the engine.
    pub clock: fn() -> DateTime<Utc>,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            poll: Duration::from_millis(500),
            head_start: Duration::from_millis(500),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(3_600),
            clock: clock::now,
        }
    }
}

/// Works off what is due until it is told to stop. What it has submitted by then, the engine finishes.
pub async fn run<D: Domain>(engine: Engine<D>, pace: Pace, stopping: CancellationToken) {
    stopping.run_until_cancelled(keep_working(engine, pace)).await;
}

async fn keep_working<D: Domain>(engine: Engine<D>, pace: Pace) -> Infallible {
    loop {
        let mut worker = Worker::new(engine.clone(), pace.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { worker.work().await });
        if let Some(Err(error)) = task.join_next().await {
            tracing::error!(%error, "the worker of deadlines ended in a panic; it is started again");
        }
        tokio::time::sleep(pace.retry_first).await;
    }
}
