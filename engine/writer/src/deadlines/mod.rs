//! Deadlines: the engine submits by itself the commands that a domain wants at a moment.
//!
//! The store knows from the events which deadlines are set and when they are due; the domain knows the command that meets
//! each ([`Domain::when_due`](crate::Domain::when_due)). The worker makes sure that every due deadline gets its command,
//! even after a long stop. It looks up due deadlines in the store and nowhere else, so a process that starts has nothing
//! to catch up with.
//!
//! Several processes may do so at once: a deadline has one idempotency key, whichever process submits it, and once it is
//! met the domain finds nothing left to do. The process that writes a log gets a head start for its deadlines, so the
//! others seldom get in its way.

mod retries;
mod turn;
mod worker;

use std::convert::Infallible;
use std::time::Duration;

use recount_core::Environment;
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
    /// How long a deadline is left to the processes that write its log, if this one does not; plus up to half as long, at
    /// random for each log and process. Together with `poll` this is how late a deadline is met that no writer is quick
    /// with.
    pub head_start: Duration,
    /// The pause before a deadline is retried that its command did not clear, and before a log in trouble is. It doubles
    /// each time, for a deadline up to `retry_max`.
    pub retry_first: Duration,
    /// Longer than an idle writer stays: a deadline that is stuck for good must not keep one alive.
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

/// Meets deadlines until the token is cancelled. The engine finishes the commands that were submitted by then.
///
/// `environment` tells which deadlines are due. The domain decides by the time of the engine.
pub async fn run<D: Domain>(
    engine: CommandEngine<D>,
    environment: Environment,
    pace: Pace,
    stopping: CancellationToken,
) {
    stopping.run_until_cancelled(keep_working(engine, environment, pace)).await;
}

async fn keep_working<D: Domain>(
    engine: CommandEngine<D>,
    environment: Environment,
    pace: Pace,
) -> Infallible {
    loop {
        let mut worker = Worker::new(engine.clone(), environment.clone(), pace.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { worker.work().await });
        if let Some(Err(error)) = task.join_next().await {
            tracing::error!(%error, "the deadline worker panicked and is started again");
        }
        tokio::time::sleep(pace.retry_first).await;
    }
}
