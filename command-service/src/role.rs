//! The role as a process: from its settings to a server that runs until shutdown.

use std::time::Duration;

use recount_identity::Authenticator;
use recount_service_kit::config::NoDatabase;
use recount_service_kit::database::{self, ConnectError, Database, Settings, Workload};
use recount_service_kit::health::Health;
use recount_service_kit::http::{self, ApiInfo, BindError, HttpStack, ServeError};
use recount_service_kit::shutdown::Shutdown;
use recount_service_kit::telemetry;
use recount_store::{SERVICE_ROLE, StoreError, migrations};
use secrecy::SecretString;

use crate::config::CommandServiceConfig;
use crate::ledger;
use crate::service::CommandService;

const APPLICATION_NAME: &str = "recount-command-service";
/// Connections in the pool. Each log's writer uses one at a time, and so does each read of the log.
const CONNECTIONS_MAX: u32 = 16;
/// How long the look at the login's rights may take.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that open requests have to finish: slightly more than the default timeout of a command.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);
const API: ApiInfo = ApiInfo {
    title: "Recount: commands",
    description: "The write side of an event-sourced double-entry ledger: commands become immutable events. Amounts are \
        strings of whole minor units. Every error is a problem document (RFC 9457) whose `type` is the address of its \
        page.",
    version: env!("CARGO_PKG_VERSION"),
};

/// Whether this login may act as a role. Since Postgres 16 a member can lack that right.
const MAY_ACT_AS: &str = "
    select pg_has_role(current_user, oid,
                       case when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end)
    from pg_roles where rolname = $1";

/// Why the role could not run.
#[derive(Debug, thiserror::Error)]
pub enum CommandServiceError {
    #[error(transparent)]
    NoDatabase(#[from] NoDatabase),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Schema(#[from] migrations::MigrationError),
    #[error("the privileges of this login could not be looked up")]
    Rights(#[source] sqlx::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Runs the role until shutdown. The schemas must exist: `recount migrate` creates them.
pub async fn run(config: CommandServiceConfig, shutdown: Shutdown) -> Result<(), CommandServiceError> {
    // The address first: it is the cheapest setting to check.
    let listener = http::bind(config.listen.listen).await?;
    // Before anything records a metric.
    let metrics = telemetry::metrics_handle();
    let unsafe_allowed = config.safety.allow_unsafe_database;
    let database = connect(config.database.required()?, unsafe_allowed).await?;
    migrations::verify(&database).await?;
    let health = Health::new(shutdown.token());
    health.add_database("event store", database.clone());
    let service = CommandService::start(&database, config.topic(), config.engine.tuning()).await?;
    service.watch(&health);
    let (routes, document) = service.router(Authenticator::new(database)).split_for_parts();
    let router = HttpStack::new(health, metrics)
        .with_catalogue(ledger::catalogue())
        .wrap(routes.merge(http::openapi(document, API)));
    tracing::info!(address = %config.listen.listen, "the command service accepts commands");
    let served = http::serve(router, listener, shutdown.token(), DRAIN_TIMEOUT).await;
    service.stop().await;
    Ok(served?)
}

/// Connects and, if this login may, acts as the role that can append to the log but not change it.
pub async fn connect(url: &SecretString, allow_unsafe: bool) -> Result<Database, CommandServiceError> {
    let settings = Settings::new(APPLICATION_NAME, Workload::Commands)
        .connections_max(CONNECTIONS_MAX)
        .allow_unsafe(allow_unsafe);
    let login = database::connect(url, &settings.clone().connections_max(1)).await?;
    let may: Option<bool> = sqlx::query_scalar(MAY_ACT_AS)
        .bind(SERVICE_ROLE)
        .fetch_optional(login.within(LOOK_UP_TIMEOUT))
        .await
        .map_err(CommandServiceError::Rights)?;
    login.close(LOOK_UP_TIMEOUT).await;
    let role = (may == Some(true)).then_some(SERVICE_ROLE);
    if role.is_none() {
        tracing::warn!(
            role = SERVICE_ROLE,
            "this login may not act as the service role; only triggers protect the log from changes"
        );
    }
    Ok(database::connect(url, &settings.role(role)).await?)
}
