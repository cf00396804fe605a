//! Stopping: the first signal asks everything to finish, the second one ends the process at once.
//!
//! A part of the process watches a token and finishes what it has begun; `drained` waits for it no longer than a
//! bound. What a part does to finish is its own affair and does not live here.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a process that was ended by an interrupt, by convention of the shells.
const INTERRUPTED: i32 = 130;

/// The end of the process, announced.
#[derive(Clone, Debug)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// Listens to SIGINT and SIGTERM from now on. Called once, inside the runtime.
    pub fn on_signals() -> Shutdown {
        let shutdown = Shutdown::manual();
        let mut interrupt = listen(SignalKind::interrupt());
        let mut terminate = listen(SignalKind::terminate());
        let token = shutdown.token.clone();
        tokio::spawn(async move {
            let name = either(&mut interrupt, &mut terminate).await;
            tracing::info!(signal = name, "finishing what has begun; a second signal stops at once");
            token.cancel();
            let name = either(&mut interrupt, &mut terminate).await;
            tracing::warn!(signal = name, "stopping at once");
            std::process::exit(INTERRUPTED);
        });
        shutdown
    }

    /// A shutdown that only `begin` starts: for processes that are parts of others, and for tests.
    pub fn manual() -> Shutdown {
        Shutdown { token: CancellationToken::new() }
    }

    /// A token that is cancelled when it is time to finish.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Asks everything to finish, as the first signal does.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Returns when it is time to finish.
    pub async fn begun(&self) {
        self.token.cancelled().await;
    }
}

fn listen(kind: SignalKind) -> Signal {
    signal(kind).expect("inside a runtime, listening to a signal that may be caught does not fail")
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// Something had not finished within its bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part} had not finished {bound:?} after it was asked to")]
pub struct NotDrained {
    pub part: &'static str,
    pub bound: Duration,
}

/// Lets a part of the process run; once it is asked to finish it has this long, then it is dropped.
pub async fn drained<T>(
    part: &'static str,
    token: &CancellationToken,
    bound: Duration,
    work: impl Future<Output = T>,
) -> Result<T, NotDrained> {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Ok(done),
        () = token.cancelled() => {}
    }
    tokio::time::timeout(bound, work).await.map_err(|_| NotDrained { part, bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_finishes_when_asked_is_drained() {
        let shutdown = Shutdown::manual();
        shutdown.begin();
        let work = async {
            shutdown.begun().await;
            7
        };
        let done = drained("work", &shutdown.token(), Duration::from_secs(5), work).await;
        assert_eq!(done, Ok(7));
    }

    #[tokio::test]
    async fn work_that_does_not_finish_is_given_up_after_the_bound() {
        let shutdown = Shutdown::manual();
        shutdown.begin();
        let bound = Duration::from_millis(5);
        let done = drained("work", &shutdown.token(), bound, std::future::pending::<()>()).await;
        assert_eq!(done, Err(NotDrained { part: "work", bound }));
    }
}
