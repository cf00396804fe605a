//! Shutdown: the first signal asks every part to finish, the second one ends the process at once.
//!
//! A part of the process watches a token and finishes its work in progress; `drained` waits for it up to a timeout. How a
//! part finishes is not decided here.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of an interrupted process, by convention of the shells.
const INTERRUPTED: i32 = 130;

/// The announcement that the process ends.
#[derive(Clone, Debug)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// Listens to SIGINT and SIGTERM from now on. Call it once, inside the runtime.
    pub fn on_signals() -> Shutdown {
        let shutdown = Shutdown::manual();
        let mut interrupt = listen(SignalKind::interrupt());
        let mut terminate = listen(SignalKind::terminate());
        let token = shutdown.token.clone();
        tokio::spawn(async move {
            let name = either(&mut interrupt, &mut terminate).await;
            tracing::info!(signal = name, "finishing work in progress; a second signal stops at once");
            token.cancel();
            let name = either(&mut interrupt, &mut terminate).await;
            tracing::warn!(signal = name, "stopping at once");
            std::process::exit(INTERRUPTED);
        });
        shutdown
    }

    /// A shutdown that only `begin` starts, for tests and for a service inside another process.
    pub fn manual() -> Shutdown {
        Shutdown { token: CancellationToken::new() }
    }

    /// A token that is cancelled when it is time to finish.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Asks every part to finish, as the first signal does.
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

/// A part did not finish within its timeout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part} did not finish within {timeout:?}")]
pub struct NotDrained {
    pub part: &'static str,
    pub timeout: Duration,
}

/// Runs a part of the process. Once asked to finish, it has until the timeout; then it is dropped.
pub async fn drained<T>(
    part: &'static str,
    token: &CancellationToken,
    timeout: Duration,
    work: impl Future<Output = T>,
) -> Result<T, NotDrained> {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Ok(done),
        () = token.cancelled() => {}
    }
    tokio::time::timeout(timeout, work).await.map_err(|_| NotDrained { part, timeout })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_finishes_when_asked_returns_its_result() {
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
    async fn work_that_does_not_finish_is_dropped_after_the_timeout() {
        let shutdown = Shutdown::manual();
        shutdown.begin();
        let timeout = Duration::from_millis(5);
        let done = drained("work", &shutdown.token(), timeout, std::future::pending::<()>()).await;
        assert_eq!(done, Err(NotDrained { part: "work", timeout }));
    }
}
