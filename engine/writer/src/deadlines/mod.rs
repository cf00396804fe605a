//! Deadlines: the engine submits the commands that a domain wants at a later time.
//!
//! Events set deadlines in the store. The domain has the command for each of them
//! ([`Domain::when_due`]). The worker makes sure that every due deadline gets its command,
//! even after a long stop. It finds due deadlines in the store and nowhere else, so a process that starts has nothing
//! to catch up with.
//!
//! Several processes may work at the same time. All of them submit the command of a deadline under the same idempotency
//! key, and once the deadline is met the domain has nothing left to do. The process that writes a log gets a head start
//! on its deadlines, so the others rarely submit the same command.

mod retries;
mod turn;
mod worker;

use std::convert::Infallible;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::CommandEngine;
use crate::domain::Domain;
use worker::Worker;

/// The intervals of the worker.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The longest interval between two looks into the store. It looks earlier when the next deadline is due.
    pub poll: Duration,
    /// How long this process leaves a deadline to the processes that write its log, if it does not write the log
    /// itself. Up to half of it is added at random, for each log and process. If no process writes the log, its
    /// deadlines are late by this time and `poll`.
    pub head_start: Duration,
    /// The pause before a retry of a deadline that its command did not clear, and of a log that failed. It doubles each
    /// time, for a deadline up to `retry_max`.
    pub retry_first: Duration,
    /// The longest pause before a deadline is retried. It is longer than [`Tuning::idle`](crate::Tuning::idle), so that
    /// a stuck deadline does not keep a writer alive.
    pub retry_max: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            poll: Duration::from_millis(500),
            head_start: Duration::from_millis(500),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(3_600),
        }
    }
}

/// Submits the commands of due deadlines until the token is cancelled. The engine finishes those that it has by then.
///
/// The clock of the database tells which deadlines are due. The domain decides by the time of the engine, so that had
/// better be the same: see [`DatabaseClock`](recount_store::DatabaseClock).
pub async fn run<D: Domain>(engine: CommandEngine<D>, pace: Pace, stopping: CancellationToken) {
    stopping.run_until_cancelled(keep_working(engine, pace)).await;
}

async fn keep_working<D: Domain>(engine: CommandEngine<D>, pace: Pace) -> Infallible {
    loop {
        let mut worker = Worker::new(engine.clone(), pace.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { worker.work().await });
        if let Some(Err(error)) = task.join_next().await {
            tracing::error!(%error, "the deadline worker panicked and is started again");
        }
        tokio::time::sleep(pace.retry_first).await;
    }
}
