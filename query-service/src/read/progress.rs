//! Waiting until a read model has reached a position.
//!
//! Notifications make it quick, polling makes it true. However many callers wait, one task asks the database, and
//! only while somebody waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use recount_service_kit::problem::{Problem, kinds};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The channel that the projector notifies after its commits. The payload says nothing.
const CHANNEL: &str = "recount_read";
/// How long a lost notification can delay an answer.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// The pause after the database could not be asked.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);
/// Callers that wait at once. Each is an open connection and a little memory; beyond, the process is in trouble.
const WAITERS_MAX: usize = 1_024;

/// Where the read models are, for those who wait.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The ledgers that somebody waits for, by name.
    awaited: Mutex<HashMap<Arc<str>, Awaited>>,
    waiters: Semaphore,
    somebody_waits: Notify,
    news: Notify,
    finishing: CancellationToken,
}

#[derive(Debug)]
struct Awaited {
    position: watch::Sender<i64>,
    waiters: usize,
}

impl Progress {
    pub(super) fn start(pool: PgPool, finishing: CancellationToken) -> Progress {
        let shared = Arc::new(Shared {
            awaited: Mutex::new(HashMap::new()),
            waiters: Semaphore::new(WAITERS_MAX),
            somebody_waits: Notify::new(),
            news: Notify::new(),
            finishing,
        });
        tokio::spawn(listen(pool.clone(), Arc::clone(&shared)));
        tokio::spawn(poll(pool, Arc::clone(&shared)));
        Progress { shared }
    }

    /// Waits until the ledger has reached the position. False: it had not by the deadline.
    pub(super) async fn reach(
        &self,
        ledger: &str,
        position: i64,
        deadline: Instant,
    ) -> Result<bool, Problem> {
        let shared = &self.shared;
        let _permit = shared
            .waiters
            .try_acquire()
            .map_err(|_| Problem::new(&kinds::BUSY, "Too many requests wait for a position."))?;
        let mut waiter = Waiter::new(shared, ledger);
        shared.somebody_waits.notify_one();
        tokio::select! {
            reached = waiter.position.wait_for(|reached| *reached >= position) => Ok(reached.is_ok()),
            () = tokio::time::sleep_until(deadline) => Ok(false),
            () = shared.finishing.cancelled() => Ok(false),
        }
    }
}

impl Shared {
    fn awaited(&self) -> MutexGuard<'_, HashMap<Arc<str>, Awaited>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One caller that waits; when it is dropped, nobody asks for its ledger on its account any more.
struct Waiter<'a> {
    shared: &'a Shared,
    ledger: Arc<str>,
    position: watch::Receiver<i64>,
}

impl<'a> Waiter<'a> {
    fn new(shared: &'a Shared, ledger: &str) -> Waiter<'a> {
        let ledger: Arc<str> = ledger.into();
        let mut awaited = shared.awaited();
        let entry = awaited
            .entry(Arc::clone(&ledger))
            .or_insert_with(|| Awaited { position: watch::Sender::new(0), waiters: 0 });
        entry.waiters += 1;
        let position = entry.position.subscribe();
        drop(awaited);
        metrics::gauge!("recount_query_waiters").increment(1);
        Waiter { shared, ledger, position }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        metrics::gauge!("recount_query_waiters").decrement(1);
        let mut awaited = self.shared.awaited();
        if let Some(entry) = awaited.get_mut(&self.ledger) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                awaited.remove(&self.ledger);
            }
        }
    }
}

/// Turns notifications of the database into wake-ups, until the process finishes.
async fn listen(pool: PgPool, shared: Arc<Shared>) {
    let finishing = shared.finishing.clone();
    let forever = async {
        loop {
            let error = listen_until_error(&pool, &shared).await;
            tracing::debug!(%error, "no notifications for a moment; polling goes on");
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
    };
    tokio::select! {
        () = finishing.cancelled() => {}
        () = forever => {}
    }
}

async fn listen_until_error(pool: &PgPool, shared: &Shared) -> sqlx::Error {
    let mut listener = match PgListener::connect_with(pool).await {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    if let Err(error) = listener.listen(CHANNEL).await {
        return error;
    }
    loop {
        match listener.recv().await {
            Ok(_) => shared.news.notify_one(),
            Err(error) => return error,
        }
    }
}

/// Asks the database where the awaited ledgers are, as long as somebody waits.
async fn poll(pool: PgPool, shared: Arc<Shared>) {
    let finishing = shared.finishing.clone();
    let forever = async {
        loop {
            let names: Vec<String> = shared.awaited().keys().map(ToString::to_string).collect();
            if names.is_empty() {
                shared.somebody_waits.notified().await;
                continue;
            }
            if let Err(error) = tell(&pool, &shared, &names).await {
                tracing::debug!(%error, "the progress of the read models cannot be read");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
            tokio::select! {
                () = shared.news.notified() => {}
                () = shared.somebody_waits.notified() => {}
                () = tokio::time::sleep(POLL_EVERY) => {}
            }
        }
    };
    tokio::select! {
        () = finishing.cancelled() => {}
        () = forever => {}
    }
}

async fn tell(pool: &PgPool, shared: &Shared, names: &[String]) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select log_name, position from read.progress where log_name = any($1)")
            .bind(names)
            .fetch_all(pool)
            .await?;
    let awaited = shared.awaited();
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
