//! The role as a process: settings in, a server that runs until it is asked to finish.

use std::time::Duration;

use recount_identity::Authenticator;
use recount_service_kit::config::NoDatabase;
use recount_service_kit::database::{self, ConnectError};
use recount_service_kit::health::Health;
use recount_service_kit::http::{self, ApiInfo, BindError, HttpStack, ServeError};
use recount_service_kit::shutdown::Shutdown;
use recount_service_kit::telemetry;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::config::QueryConfig;
use crate::read::{self, Reader, Standing};

const APPLICATION_NAME: &str = "recount-query-service";
/// Keys are remembered, so that few questions about them reach the database.
const IDENTITY_CONNECTIONS: u32 = 2;
/// A client that waits for a position is told so when the process finishes; others are done long before.
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
    #[error("the read models that this program reads are not in this database; run `recount migrate` first")]
    NoReadModels,
    #[error("the read models could not be looked up")]
    Unreadable(#[source] sqlx::Error),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Runs the role until it is asked to finish.
pub async fn run(config: QueryConfig, shutdown: Shutdown) -> Result<(), QueryServiceError> {
    // The address first: it is the cheapest thing that can be wrong.
    let listener = http::bind(config.listen.listen).await?;
    let metrics = telemetry::metrics_handle();
    let health = Health::new(shutdown.token());

    let reader = open(&config, shutdown.token(), &health).await?;
    let identity_url = config.database.required()?;
    let identity = database::connect(identity_url, IDENTITY_CONNECTIONS, APPLICATION_NAME, None).await?;
    health.add_database("identity", identity.clone());

    let (routes, document) = api::router(reader, Authenticator::new(identity)).split_for_parts();
    let router = HttpStack::new(health, metrics)
        .with_catalogue(api::catalogue())
        .wrap(routes.merge(http::openapi(document, API)));
    tracing::info!(address = %config.listen.listen, "the query service answers");
    http::serve(router, listener, shutdown.token(), DRAIN_TIMEOUT).await?;
    Ok(())
}

/// Connects to the read models and watches their progress.
async fn open(
    config: &QueryConfig,
    finishing: CancellationToken,
    health: &Health,
) -> Result<Reader, QueryServiceError> {
    let pool = database::connect(config.read_url()?, config.read_connections, APPLICATION_NAME, None).await?;
    // Those that are being rebuilt are waited for; where nobody has begun to, waiting is in vain.
    if read::standing(&pool).await.map_err(QueryServiceError::Unreadable)? == Standing::Missing {
        return Err(QueryServiceError::NoReadModels);
    }
    let reader = Reader::start(pool, finishing);
    reader.watch(health);
    Ok(reader)
}
