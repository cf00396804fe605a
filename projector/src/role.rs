//! The projector as a process of its own: settings, start, end.

use std::time::Duration;

use axum::Router;
use clap::Args;
use recount_kafka::Topic;
use recount_service_kit::config::{DatabaseArgs, KafkaArgs, ListenArgs, NoDatabase, secret};
use recount_service_kit::database::{self, ConnectError, Settings, Workload};
use recount_service_kit::health::Health;
use recount_service_kit::http::{self, BindError, HttpStack, ServeError};
use recount_service_kit::telemetry;
use recount_store::{LogReader, migrations};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::service::{Projector, StartError};

/// How long answers to health checks may still take at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Logs are read some at a time, and one connection listens for news.
const STORE_CONNECTIONS_MAX: u32 = 8;
/// Logs are written some at a time, and one connection announces.
const READ_CONNECTIONS_MAX: u32 = 8;
const APPLICATION_NAME: &str = "recount-projector";

/// The settings of the role.
#[derive(Args, Clone, Debug)]
pub struct ProjectorConfig {
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The Postgres for the read models, where it is another one than the log's.
    #[arg(long, env = "RECOUNT_READ_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub read_database_url: Option<SecretString>,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
}

/// Why the role did not start, or did not end as asked.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    #[error(transparent)]
    NoDatabase(#[from] NoDatabase),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Store(#[from] migrations::MigrationError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl ProjectorConfig {
    fn topic(&self) -> Option<Topic> {
        let brokers = self.kafka.kafka.as_ref()?;
        Some(Topic {
            partitions: self.kafka.partitions,
            properties: self.kafka.client_properties(),
            ..Topic::at(brokers).named(&self.kafka.topic)
        })
    }
}

/// Runs the role until the token is cancelled. The schemas must be there: `recount migrate` makes them.
pub async fn run(config: &ProjectorConfig, token: CancellationToken) -> Result<(), ProjectorError> {
    let listener = http::bind(config.listen.listen).await?;
    // Before anything counts.
    let metrics = telemetry::metrics_handle();
    let url = config.database.required()?;
    let settings = Settings::new(APPLICATION_NAME, Workload::Following);
    let store = database::connect(url, &settings.clone().connections_max(STORE_CONNECTIONS_MAX)).await?;
    migrations::verify(&store).await?;
    let read_url = config.read_database_url.as_ref().unwrap_or(url);
    let read = database::connect(read_url, &settings.connections_max(READ_CONNECTIONS_MAX)).await?;
    let reader = LogReader::new(&store);
    let projector = Projector::start(reader, &read, config.topic()).await?;

    let health = Health::new(token.clone());
    health.add_database("event store", store);
    health.add_database("read database", read);
    projector.watch(&health);
    projector.watch_stopped(&health);
    let router = HttpStack::new(health, metrics).wrap(Router::new());
    let served = http::serve(router, listener, token, DRAIN_TIMEOUT).await;
    projector.stop().await;
    Ok(served?)
}
