//! The parts of a running command service, started and stopped together.

use std::time::Duration;

use recount_identity::Authenticator;
use recount_kafka::{Topic, relay};
use recount_service_kit::commands::StoreClock;
use recount_service_kit::database::Database;
use recount_service_kit::health::Health;
use recount_service_kit::ids;
use recount_store::{LogReader, LogWriter, StoreError};
use recount_writer::deadlines::{self, Pace};
use recount_writer::{CommandEngine, Tuning};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::ledger::{self, LedgerDomain, LedgerState};

/// The time that each part has to stop. Every accepted command is answered within its timeout.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The command side of the ledger in this process.
#[derive(Debug)]
pub struct CommandService {
    engine: CommandEngine<LedgerDomain>,
    clock: StoreClock,
    deadlines: JoinHandle<()>,
    deadlines_stopping: CancellationToken,
    relay: Option<JoinHandle<()>>,
    relay_status: relay::Status,
    relay_stopping: CancellationToken,
}

impl CommandService {
    /// Starts the service on a database whose schema is up to date, including the worker of deadlines. With a topic it
    /// also relays the log to Kafka.
    pub async fn start(
        database: &Database,
        topic: Option<Topic>,
        tuning: Tuning,
    ) -> Result<CommandService, StoreError> {
        let clock = StoreClock::start(&LogReader::new(database)).await?;
        let relay_stopping = CancellationToken::new();
        let relay_status = relay::Status::default();
        let relay = topic.map(|topic| {
            let (reader, store) = (LogReader::new(database), relay::RelayStore::new(database));
            let (status, stopping) = (relay_status.clone(), relay_stopping.clone());
            tokio::spawn(relay::run(reader, store, topic, ids::new_id(), status, stopping))
        });
        let engine = CommandEngine::start(LogWriter::new(database), clock.environment(), tuning);
        let deadlines_stopping = CancellationToken::new();
        let worker = deadlines::run(engine.clone(), Pace::default(), deadlines_stopping.clone());
        let deadlines = tokio::spawn(worker);
        Ok(CommandService {
            engine,
            clock,
            deadlines,
            deadlines_stopping,
            relay,
            relay_status,
            relay_stopping,
        })
    }

    pub fn engine(&self) -> &CommandEngine<LedgerDomain> {
        &self.engine
    }

    /// Adds the checks that tell whether this service can do its work.
    pub fn watch(&self, health: &Health) {
        self.clock.watch(health);
        let relay = self.relay_status.clone();
        health.add("relay", move || std::future::ready(relay.check()));
    }

    /// The command API. Every request needs a key.
    pub fn router(&self, authenticator: Authenticator) -> OpenApiRouter {
        let state = LedgerState { engine: self.engine.clone() };
        ledger::router(state, authenticator)
    }

    /// Finishes the commands that were submitted, then stops. Nothing more may be submitted.
    pub async fn stop(self) {
        // First the worker, which submits commands of its own: the engine then finishes them.
        self.deadlines_stopping.cancel();
        if let Err(error) = self.deadlines.await {
            tracing::error!(%error, "the worker of deadlines panicked");
        }
        if timeout(STOP_TIMEOUT, self.engine.stop()).await.is_err() {
            // By now the callers have an answer, or their connections are closed.
            tracing::warn!("commands were abandoned: the event store did not answer");
        }
        self.relay_stopping.cancel();
        let Some(relay) = self.relay else { return };
        match timeout(STOP_TIMEOUT, relay).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the relay panicked"),
            Err(_elapsed) => {
                tracing::warn!(
                    "the relay did not stop in time; events whose progress it had not saved are published again"
                )
            }
        }
    }
}
