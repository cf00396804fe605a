//! Waiting until a read model has reached a position.
//!
//! Notifications make it fast, polling makes it reliable. One task asks the database on behalf of all waiting callers,
//! and only while there are any.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use recount_service_kit::database::{Database, Listener};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ReadError;
use super::snapshot::BEGIN_TIMEOUT;

/// The channel that the projector notifies after its commits. The payload is empty.
const CHANNEL: &str = "recount_read";
/// The longest delay of an answer when a notification is lost.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long to listen at a time. Between two times, a connection that has been silent is checked.
const LISTEN_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after an error of the database.
const ERROR_BACKOFF: Duration = Duration::from_millis(500);
/// Callers that may wait at the same time. Each costs an open client connection and a little memory; more would mean that
/// the process is overloaded.
const WAITERS_MAX: usize = 1_024;

/// The progress of the read models, for callers that wait for a position.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    inner: Arc<ProgressInner>,
}

#[derive(Debug)]
struct ProgressInner {
    /// The ledgers that callers wait for, by name.
    awaited: Mutex<HashMap<Arc<str>, Awaited>>,
    permits: Semaphore,
    waiter_added: Notify,
    projector_committed: Notify,
    finishing: CancellationToken,
}

#[derive(Debug)]
struct Awaited {
    position: watch::Sender<i64>,
    waiters: usize,
}

impl Progress {
    pub(super) fn start(database: Database, finishing: CancellationToken) -> Progress {
        let inner = Arc::new(ProgressInner {
            awaited: Mutex::new(HashMap::new()),
            permits: Semaphore::new(WAITERS_MAX),
            waiter_added: Notify::new(),
            projector_committed: Notify::new(),
            finishing,
        });
        tokio::spawn(listen(database.clone(), Arc::clone(&inner)));
        tokio::spawn(poll(database, Arc::clone(&inner)));
        Progress { inner }
    }

    /// Waits until the ledger has reached the position; `false` if it has not by the deadline.
    pub(super) async fn wait_for(
        &self,
        ledger: &str,
        position: i64,
        deadline: Instant,
    ) -> Result<bool, ReadError> {
        let inner = &self.inner;
        let _permit = inner.permits.try_acquire().map_err(|_| ReadError::TooManyWaiters)?;
        let mut waiter = Waiter::new(inner, ledger);
        inner.waiter_added.notify_one();
        tokio::select! {
            reached = waiter.position.wait_for(|reached| *reached >= position) => Ok(reached.is_ok()),
            () = tokio::time::sleep_until(deadline) => Ok(false),
            () = inner.finishing.cancelled() => Ok(false),
        }
    }
}

impl ProgressInner {
    fn awaited(&self) -> MutexGuard<'_, HashMap<Arc<str>, Awaited>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiting caller. When the last one of a ledger is dropped, the ledger is not polled any more.
struct Waiter<'a> {
    inner: &'a ProgressInner,
    ledger: Arc<str>,
    position: watch::Receiver<i64>,
}

impl<'a> Waiter<'a> {
    fn new(inner: &'a ProgressInner, ledger: &str) -> Waiter<'a> {
        let ledger: Arc<str> = ledger.into();
        let mut awaited = inner.awaited();
        let entry = awaited
            .entry(Arc::clone(&ledger))
            .or_insert_with(|| Awaited { position: watch::Sender::new(0), waiters: 0 });
        entry.waiters += 1;
        let position = entry.position.subscribe();
        drop(awaited);
        metrics::gauge!("recount_query_waiters").increment(1);
        Waiter { inner, ledger, position }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        metrics::gauge!("recount_query_waiters").decrement(1);
        let mut awaited = self.inner.awaited();
        if let Some(entry) = awaited.get_mut(&self.ledger) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                awaited.remove(&self.ledger);
            }
        }
    }
}

/// Wakes the poller on each notification of the projector, until the process finishes.
async fn listen(database: Database, inner: Arc<ProgressInner>) {
    let finishing = inner.finishing.clone();
    let listening = async {
        let mut listener = Listener::start(&database, CHANNEL).await;
        loop {
            if listener.wait(LISTEN_INTERVAL).await {
                inner.projector_committed.notify_one();
            }
        }
    };
    tokio::select! {
        () = finishing.cancelled() => {}
        () = listening => {}
    }
}

/// Asks the database for the progress of the awaited ledgers while callers wait, until the process finishes.
async fn poll(database: Database, inner: Arc<ProgressInner>) {
    let finishing = inner.finishing.clone();
    let polling = async {
        loop {
            let names: Vec<String> = inner.awaited().keys().map(ToString::to_string).collect();
            if names.is_empty() {
                inner.waiter_added.notified().await;
                continue;
            }
            if let Err(error) = update_positions(&database, &inner, &names).await {
                tracing::debug!(%error, "the progress of the read models cannot be read");
                tokio::time::sleep(ERROR_BACKOFF).await;
            }
            tokio::select! {
                () = inner.projector_committed.notified() => {}
                () = inner.waiter_added.notified() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    };
    tokio::select! {
        () = finishing.cancelled() => {}
        () = polling => {}
    }
}

async fn update_positions(
    database: &Database,
    inner: &ProgressInner,
    names: &[String],
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select log_name, position from read.progress where log_name = any($1)")
            .bind(names)
            .fetch_all(database.within(BEGIN_TIMEOUT))
            .await?;
    let awaited = inner.awaited();
    for (name, position) in rows {
        if let Some(entry) = awaited.get(&*name) {
            entry.position.send_if_modified(|known| {
                let moved = *known != position;
                *known = position;
                moved
            });
        }
    }
    Ok(())
}
