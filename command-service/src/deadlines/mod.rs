//! Deadlines: submits by itself what a domain wants done at a moment.
//!
//! The store knows what falls due and when, from the events; the domain knows by which command each is met. The worker
//! sees that every deadline that is due gets its command, also after a long stop. What is due is looked up in the
//! store and nowhere else, so a process that starts, or that comes to help, has nothing to catch up with.
//!
//! Several processes may do so at once: each deadline has one idempotency key, whoever submits it, and the domain
//! finds nothing to do once it is done. It knows no domain.

mod sweep;
mod tried;
mod turn;

use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_service_kit::clock;
use tokio_util::sync::CancellationToken;

use crate::engine::{Domain, Engine};
use sweep::Worker;

/// How the worker goes about it.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The longest between two looks into the store. It looks earlier when the next deadline falls due.
    pub poll: Duration,
    /// How long a deadline is left alone whose command did not clear it, and a log whose commands cannot be taken. The
    /// time doubles for a deadline each time, up to `retry_max`.
    pub retry_first: Duration,
    pub retry_max: Duration,
    /// The clock by which a deadline is due. The domain decides by that of the engine.
    pub clock: fn() -> DateTime<Utc>,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            poll: Duration::from_millis(500),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            clock: clock::now,
        }
    }
}

/// Works off what is due until it is told to stop. What it has submitted by then, the engine finishes.
pub async fn run<D: Domain>(engine: Engine<D>, pace: Pace, stopping: CancellationToken) {
    let mut worker = Worker::new(engine, pace);
    stopping.run_until_cancelled(worker.work()).await;
}
