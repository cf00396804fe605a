//! The parts of a running projector, started and stopped together.

use std::time::Duration;

use recount_kafka::{MessagingError, Topic};
use recount_projection::{ProjectionEngine, SchemaError, Status, go_live, repair_from_store, tail_store};
use recount_service_kit::health::Health;
use recount_store::LogReader;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ledger::LedgerProjection;

/// How long the batches under way may take once it is time to stop. A transaction that is dropped then is undone
/// whole, and its events are applied after the next start.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// Makes the ledger's read models if they are not there. Beside those of an older version, which readers go on seeing, a
/// [`Projector`] fills them and brings them to the readers.
pub async fn migrate(read_pool: &PgPool) -> Result<(), SchemaError> {
    recount_projection::migrate(read_pool, &LedgerProjection).await
}

/// Why a projector did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error("the settings for Kafka are not usable")]
    Kafka(#[source] MessagingError),
}

/// The projector of the ledger in this process.
#[derive(Debug)]
pub struct Projector {
    status: Status,
    token: CancellationToken,
    /// The source, and beside it whatever brings a new build to the readers.
    work: JoinHandle<()>,
}

impl Projector {
    /// Starts it, on schemas that are up to date. With a topic events come from Kafka, and from the store where
    /// Kafka brings nothing; without one, from the store. The read models may live in another database.
    pub async fn start(
        reader: LogReader,
        read_pool: PgPool,
        topic: Option<Topic>,
    ) -> Result<Projector, StartError> {
        recount_projection::verify(&read_pool, &LedgerProjection).await?;
        let engine = ProjectionEngine::new(LedgerProjection, reader, read_pool);
        let status = engine.status().clone();
        let token = CancellationToken::new();
        let going_live = go_live(engine.clone(), token.clone());
        let work = match topic {
            None => tokio::spawn(join(tail_store(engine, token.clone()), going_live)),
            Some(topic) => {
                let following = recount_kafka::follow(engine.clone(), topic, token.clone());
                let following = following.map_err(StartError::Kafka)?;
                let repair = repair_from_store(engine, token.clone());
                tokio::spawn(join(join(following, repair), going_live))
            }
        };
        Ok(Projector { status, token, work })
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Adds the check that the read models follow the log.
    pub fn watch(&self, health: &Health) {
        let status = self.status.clone();
        health.add("read models", move || {
            let report = status.report();
            std::future::ready(if report.failure.is_some() {
                Err("the read models are held up; the process's output says why".to_owned())
            } else if report.swept {
                Ok(())
            } else {
                Err("the log has not been looked at yet".to_owned())
            })
        });
    }

    /// Adds the check that no log is stopped. For a process that only projects: one that also serves must go on
    /// serving the logs that are well.
    pub fn watch_stopped(&self, health: &Health) {
        let status = self.status.clone();
        health.add("stopped logs", move || {
            let stopped = status.report().stopped;
            std::future::ready(match stopped.first() {
                None => Ok(()),
                Some((log, first)) => Err(format!(
                    "{} stopped; `{log}` cannot go on from position {}",
                    if stopped.len() == 1 {
                        "1 log is".to_owned()
                    } else {
                        format!("{} logs are", stopped.len())
                    },
                    first.at
                )),
            })
        });
    }

    /// Finishes the batches under way, within a bound, and stops.
    pub async fn stop(mut self) {
        self.token.cancel();
        match tokio::time::timeout(STOP_TIME_MAX, &mut self.work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the projector ended in a panic"),
            Err(_) => {
                self.work.abort();
                tracing::warn!("the projector did not finish in time; what it was writing is undone");
            }
        }
    }
}

async fn join(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::join!(one, other);
}
