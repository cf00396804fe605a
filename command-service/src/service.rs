//! The parts of a running command service, started and stopped together.

use recount_event_store::{EventStore, Notifier};
use recount_messaging::Topic;
use recount_service_kit::identity::Authenticator;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::engine::{Engine, Tuning};
use crate::ledger::{self, Ledger, LedgerState};
use crate::relay;

/// The command side of the ledger in this process.
#[derive(Debug)]
pub struct CommandService {
    engine: Engine<Ledger>,
    relay: Option<JoinHandle<()>>,
    relay_stopping: CancellationToken,
}

impl CommandService {
    /// Starts it on a database whose schema is up to date. With a topic it also relays the log to Kafka.
    pub fn start(pool: PgPool, topic: Option<Topic>, tuning: Tuning) -> CommandService {
        let store = EventStore::new(pool.clone());
        let relay_stopping = CancellationToken::new();
        let relay = topic.map(|topic| tokio::spawn(relay::run(store.clone(), topic, relay_stopping.clone())));
        let engine = Engine::new(store, Notifier::start(pool), tuning);
        CommandService { engine, relay, relay_stopping }
    }

    pub fn engine(&self) -> &Engine<Ledger> {
        &self.engine
    }

    /// The command API, which asks for a key.
    pub fn router(&self, authenticator: Authenticator) -> OpenApiRouter {
        let state = LedgerState { engine: self.engine.clone() };
        ledger::router(state, authenticator)
    }

    /// Finishes what was taken on, then stops. Nothing may be submitted any more.
    pub async fn stop(self) {
        self.engine.stop().await;
        self.relay_stopping.cancel();
        if let Some(relay) = self.relay
            && let Err(error) = relay.await
        {
            tracing::error!(%error, "the relay ended in a panic");
        }
    }
}
