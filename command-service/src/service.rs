//! The parts of a running command service, started and stopped together.

use std::time::Duration;

use recount_kafka::{Topic, relay};
use recount_service_kit::identity::Authenticator;
use recount_service_kit::{environment, ids};
use recount_store::{LogReader, LogWriter};
use recount_writer::deadlines::{self, Pace};
use recount_writer::{CommandEngine, Tuning};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::ledger::{self, Ledger, LedgerState};

/// How long each part may take to finish. A command that was taken on is answered within its patience.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// The command side of the ledger in this process.
#[derive(Debug)]
pub struct CommandService {
    engine: CommandEngine<Ledger>,
    deadlines: JoinHandle<()>,
    deadlines_stopping: CancellationToken,
    relay: Option<JoinHandle<()>>,
    relay_stopping: CancellationToken,
}

impl CommandService {
    /// Starts it on a database whose schema is up to date, and works off what has fallen due. With a topic it also
    /// relays the log to Kafka.
    pub fn start(pool: PgPool, topic: Option<Topic>, tuning: Tuning) -> CommandService {
        let relay_stopping = CancellationToken::new();
        let relay = topic.map(|topic| {
            let (reader, store) = (LogReader::new(pool.clone()), relay::RelayStore::new(pool.clone()));
            tokio::spawn(relay::run(reader, store, topic, ids::new_id(), relay_stopping.clone()))
        });
        let engine = CommandEngine::start(LogWriter::new(pool), environment(), tuning);
        let deadlines_stopping = CancellationToken::new();
        let worker =
            deadlines::run(engine.clone(), environment(), Pace::default(), deadlines_stopping.clone());
        CommandService { engine, deadlines: tokio::spawn(worker), deadlines_stopping, relay, relay_stopping }
    }

    pub fn engine(&self) -> &CommandEngine<Ledger> {
        &self.engine
    }

    /// The command API, which asks for a key.
    pub fn router(&self, authenticator: Authenticator) -> OpenApiRouter {
        let state = LedgerState { engine: self.engine.clone() };
        ledger::router(state, authenticator)
    }

    /// Finishes what was taken on, then stops. Nothing may be submitted any more.
    pub async fn stop(self) {
        // First what submits by itself: the engine finishes what it has submitted.
        self.deadlines_stopping.cancel();
        if let Err(error) = self.deadlines.await {
            tracing::error!(%error, "the worker of deadlines ended in a panic");
        }
        if timeout(STOP_TIME_MAX, self.engine.stop()).await.is_err() {
            // Its callers have been told by now, or their connections are gone.
            tracing::warn!("commands were given up: the event store did not answer");
        }
        self.relay_stopping.cancel();
        let Some(relay) = self.relay else { return };
        match timeout(STOP_TIME_MAX, relay).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the relay ended in a panic"),
            Err(_elapsed) => {
                tracing::warn!("the relay was given up; what it had not noted is published again")
            }
        }
    }
}
