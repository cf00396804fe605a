//! The parts of a running projector, started and stopped together.

use std::time::Duration;

use recount_kafka::{MessagingError, Topic};
use recount_projection::{ProjectionEngine, SchemaError, Status, go_live, repair_from_store};
use recount_service_kit::database::Database;
use recount_service_kit::health::Health;
use recount_store::LogReader;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ledger::LedgerProjection;

/// How long running batches may take once it is time to stop. A transaction that is dropped then is undone as a whole,
/// and its events are applied after the next start.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Creates the read models of the ledger if they do not exist. If readers see those of an older version, they go on doing
/// so until a [`Projector`] has filled the new ones and brought them to the readers.
pub async fn migrate(read_models: &Database) -> Result<(), SchemaError> {
    recount_projection::migrate(read_models, &LedgerProjection).await
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
    /// The source of events, and the task that brings a new build to the readers.
    work: JoinHandle<()>,
}

impl Projector {
    /// Starts it on schemas that are up to date. With a topic, events come from Kafka, and from the store where Kafka
    /// brings nothing; without one, from the store. The read models may live in another database.
    pub async fn start(
        reader: LogReader,
        read_models: &Database,
        topic: Option<Topic>,
    ) -> Result<Projector, StartError> {
        recount_projection::verify(read_models, &LedgerProjection).await?;
        let engine = ProjectionEngine::new(LedgerProjection, reader, read_models);
        let status = engine.status().clone();
        let token = CancellationToken::new();
        let work = match topic {
            None => tokio::spawn(recount_projection::run(engine, token.clone())),
            Some(topic) => {
                // With the topic in its name, two deployments on one Kafka do not share a group.
                let group = format!("recount-projector-{}-{}", engine.build(), topic.name);
                let following = recount_kafka::follow(engine.clone(), topic, &group, token.clone());
                let following = following.map_err(StartError::Kafka)?;
                let going_live = go_live(engine.clone(), token.clone());
                let repair = repair_from_store(engine, token.clone());
                tokio::spawn(async move {
                    tokio::join!(following, repair, going_live);
                })
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
        health.add("read models", move || std::future::ready(status.report().check()));
    }

    /// Adds the check that no log is stopped. For a process that only projects: one that also serves has to go on
    /// serving the logs that are well.
    pub fn watch_stopped(&self, health: &Health) {
        let status = self.status.clone();
        health.add("stopped logs", move || std::future::ready(status.report().check_stopped()));
    }

    /// Finishes the running batches, within a time limit, and stops.
    pub async fn stop(mut self) {
        self.token.cancel();
        match tokio::time::timeout(STOP_TIMEOUT, &mut self.work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the projector panicked"),
            Err(_) => {
                self.work.abort();
                tracing::warn!("the projector did not finish in time; what it was writing is undone");
            }
        }
    }
}
