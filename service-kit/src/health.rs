//! Readiness: whether this process can do its work now, as reported by its parts.
//!
//! Liveness needs nothing from here: a process that answers is alive.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, read_again};

/// How long a check may take before it counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the database may take to answer such a check.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a report is reused: frequent probes must not load what is checked.
const REPORT_AGE_MAX: Duration = Duration::from_millis(500);

type CheckFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type CheckFn = dyn Fn() -> CheckFuture + Send + Sync;

/// The checks of this process. Clones share them.
#[derive(Clone)]
pub struct Health {
    inner: Arc<HealthInner>,
}

struct HealthInner {
    finishing: CancellationToken,
    checks: RwLock<Vec<(&'static str, Arc<CheckFn>)>>,
    last: Mutex<Option<(Instant, Report)>>,
}

/// The state of the process at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub ready: bool,
    pub checks: Vec<CheckReport>,
}

/// The state of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub name: &'static str,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

impl Health {
    /// Ready as long as every check succeeds and the process was not asked to finish.
    pub fn new(finishing: CancellationToken) -> Health {
        Health {
            inner: Arc::new(HealthInner {
                finishing,
                checks: RwLock::new(Vec::new()),
                last: Mutex::new(None),
            }),
        }
    }

    /// Adds a check that runs for every report. Its error is public, so it must not contain internals.
    pub fn add<F>(&self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check: Arc<CheckFn> = Arc::new(move || Box::pin(check()));
        let mut checks = self.inner.checks.write().unwrap_or_else(PoisonError::into_inner);
        checks.push((name, check));
    }

    /// Adds a check that the database answers.
    pub fn add_database(&self, name: &'static str, database: impl Into<Database>) {
        let database = database.into();
        self.add(name, move || {
            let database = database.clone();
            async move {
                let ask = || sqlx::query("select 1").execute(database.within(ANSWER_TIMEOUT));
                match read_again(&database, ask).await {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        tracing::warn!(check = name, %error, "the database does not answer");
                        Err("the database does not answer".to_owned())
                    }
                }
            }
        });
    }

    /// Adds a check whose part sets the outcome itself. Until then it is not ready.
    pub fn add_flag(&self, name: &'static str) -> Flag {
        let flag = Flag { state: Arc::new(RwLock::new(Err("it is starting".to_owned()))) };
        let watched = flag.clone();
        self.add(name, move || {
            let state = watched.state.read().unwrap_or_else(PoisonError::into_inner).clone();
            async move { state }
        });
        flag
    }

    /// Runs all checks.
    pub async fn report(&self) -> Report {
        let mut last = self.inner.last.lock().await;
        let finishing = self.inner.finishing.is_cancelled();
        if let Some((at, report)) = &*last
            && at.elapsed() < REPORT_AGE_MAX
            && !finishing
        {
            return report.clone();
        }
        let checks = self.inner.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut checks = join_all(checks.into_iter().map(|(name, check)| run(name, check))).await;
        if finishing {
            checks.push(CheckReport {
                name: "process",
                ok: false,
                reason: Some("it is finishing".to_owned()),
            });
        }
        let ready = checks.iter().all(|check| check.ok);
        let report = Report { ready, checks };
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

async fn run(name: &'static str, check: Arc<CheckFn>) -> CheckReport {
    let outcome = tokio::time::timeout(CHECK_TIMEOUT, check())
        .await
        .unwrap_or_else(|_| Err("the check took too long".to_owned()));
    CheckReport { name, ok: outcome.is_ok(), reason: outcome.err() }
}

/// The readiness of a part, set by the part itself.
#[derive(Clone, Debug)]
pub struct Flag {
    state: Arc<RwLock<Result<(), String>>>,
}

impl Flag {
    pub fn ready(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Ok(());
    }

    /// Not ready. The reason is public.
    pub fn failing(&self, reason: impl Into<String>) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Err(reason.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_ready_when_all_of_its_parts_are_ready() {
        let health = Health::new(CancellationToken::new());
        let flag = health.add_flag("part");
        flag.ready();
        assert!(health.report().await.ready);
    }

    #[tokio::test]
    async fn a_failing_part_is_reported_with_its_reason() {
        let health = Health::new(CancellationToken::new());
        health.add("fine", || async { Ok(()) });
        health.add_flag("part").failing("it stopped at position 7");
        let report = health.report().await;
        assert!(!report.ready);
        assert_eq!(report.checks[1].reason.as_deref(), Some("it stopped at position 7"));
    }

    #[tokio::test]
    async fn a_finishing_process_is_not_ready() {
        let token = CancellationToken::new();
        let health = Health::new(token.clone());
        assert!(health.report().await.ready);
        token.cancel();
        assert!(!health.report().await.ready);
    }
}
