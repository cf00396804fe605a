//! The role as a process: from settings to a server that runs until shutdown.

use std::time::Duration;

use recount_identity::Authenticator;
use recount_service_kit::config::NoDatabase;
use recount_service_kit::database::{self, ConnectError, Settings, Workload};
use recount_service_kit::health::Health;
use recount_service_kit::http::{self, ApiInfo, BindError, HttpStack, ServeError};
use recount_service_kit::shutdown::Shutdown;
use recount_service_kit::telemetry;
use recount_store::LogReader;
use tokio_util::sync::CancellationToken;

use crate::config::QueryConfig;
use crate::read::{self, BuildState, Reader};
use crate::rest;

const APPLICATION_NAME: &str = "recount-query-service";
/// Connections to the database of the log and the API keys. Keys are cached, so two are enough for looking them up. Each
/// page of a log uses one while it is read, and may take 8 MiB of memory, so few are read at the same time.
const STORE_CONNECTIONS_MAX: u32 = 8;
/// Requests that wait for a position are answered at once when the process finishes, and others take less than this.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
const API: ApiInfo = ApiInfo {
    title: "Recount: queries",
    description: "The read side of an event-sourced double-entry ledger. `Recount-Position` in an answer is the position \
        of the ledger's log that it reflects. After a write, pass its position in `Recount-At-Least`; the query waits \
        until the read model has reached it, as long as `Prefer: wait=SECONDS` allows (default 5, at most 60). Amounts \
        are strings of whole minor units. Every error is a problem document (RFC 9457) whose `type` is the address of its \
        page.",
    version: env!("CARGO_PKG_VERSION"),
};

/// Why the role could not run.
#[derive(Debug, thiserror::Error)]
pub enum QueryServiceError {
    #[error(transparent)]
    NoDatabase(#[from] NoDatabase),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(
        "this database does not have the read models that this program needs; run `recount migrate` first"
    )]
    NoReadModels,
    #[error("the state of the read models could not be looked up")]
    Unreadable(#[source] sqlx::Error),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Runs the role until shutdown.
pub async fn run(config: QueryConfig, shutdown: Shutdown) -> Result<(), QueryServiceError> {
    // The address first, because it is the cheapest thing to check.
    let listener = http::bind(config.listen.listen).await?;
    let metrics = telemetry::metrics_handle();
    let health = Health::new(shutdown.token());

    let reader = open(&config, shutdown.token(), &health).await?;
    let store_url = config.database.required()?;
    let settings = Settings::new(APPLICATION_NAME, Workload::Queries);
    let store = database::connect(store_url, &settings.connections_max(STORE_CONNECTIONS_MAX)).await?;
    health.add_database("identity", store.clone());

    let log_reader = LogReader::new(&store);
    let (routes, document) = rest::router(reader, log_reader, Authenticator::new(store)).split_for_parts();
    let router = HttpStack::new(health, metrics)
        .with_catalogue(rest::catalogue())
        .wrap(routes.merge(http::openapi(document, API)));
    tracing::info!(address = %config.listen.listen, "the query service is listening");
    http::serve(router, listener, shutdown.token(), DRAIN_TIMEOUT).await?;
    Ok(())
}

/// Connects to the read models and watches their progress.
async fn open(
    config: &QueryConfig,
    finishing: CancellationToken,
    health: &Health,
) -> Result<Reader, QueryServiceError> {
    let settings =
        Settings::new(APPLICATION_NAME, Workload::Queries).connections_max(config.read_connections);
    let database = database::connect(config.read_url()?, &settings).await?;
    // A rebuild that has begun will end; without one, the read models would never appear.
    if read::build_state(&database).await.map_err(QueryServiceError::Unreadable)? == BuildState::Missing {
        return Err(QueryServiceError::NoReadModels);
    }
    let reader = Reader::start(database, finishing);
    reader.watch(health);
    Ok(reader)
}
