//! `recount up`: every role in one process, on one address, with nothing else to install.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use recount::API;
use recount_command_service::{CommandService, EngineArgs, ledger, topic};
use recount_embedded::kafka::{self, Kafka};
use recount_identity::{self as identity, Authenticator};
use recount_kafka::Topic;
use recount_projector::Projector;
use recount_query_service::Reader;
use recount_service_kit::config::{KafkaArgs, ListenArgs, secret};
use recount_service_kit::database::{self, Database, Settings, Workload};
use recount_service_kit::health::Health;
use recount_service_kit::http::{self, HttpStack};
use recount_service_kit::shutdown::Shutdown;
use recount_service_kit::telemetry;
use recount_store::LogReader;
use secrecy::SecretString;

use crate::banner;
use crate::deployment::{Deployment, DeploymentArgs};
use crate::supervise::Supervised;

/// How long requests in progress may take after shutdown begins.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);
/// Connections of the projector and of the queries.
const PROJECTOR_CONNECTIONS_MAX: u32 = 8;
const QUERY_CONNECTIONS_MAX: u32 = 16;
/// The value of --kafka that starts a private broker.
const EMBEDDED: &str = "embedded";

/// Run everything in one process
///
/// Without --database-url, it runs a private Postgres in the data folder. Without --kafka, the projector reads the feed
/// from the store; --kafka HOST:PORT sends the feed through your Kafka, and --kafka embedded through a private one, which
/// needs Java 17 and Maven.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// The first admin key, as rk_<id>_<secret>; generated if absent
    #[arg(long, env = "RECOUNT_ADMIN_KEY", hide_env_values = true, value_parser = secret)]
    admin_key: Option<SecretString>,
}

pub(crate) async fn run(args: UpArgs) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals();
    // The address first: it is the cheapest check.
    let listener = http::bind(args.listen.listen).await?;
    let address = listener.local_addr()?;
    // Before the first metric is recorded.
    telemetry::metrics_handle();
    let Some(started) = shutdown.token().run_until_cancelled(Infrastructure::start(&args)).await else {
        bail!("stopped before the start was complete");
    };
    let infrastructure = started?;
    let served = serve(&args, &infrastructure, listener, address, &shutdown).await;
    // However serving ended, the children stop too.
    shutdown.begin();
    let stopped = infrastructure.stop().await;
    served.and(stopped)
}

/// Runs the roles until shutdown, and lets them finish.
async fn serve(
    args: &UpArgs,
    infrastructure: &Infrastructure,
    listener: tokio::net::TcpListener,
    address: std::net::SocketAddr,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let deployment = &infrastructure.deployment;
    let provided = args.admin_key.is_some();
    let first_key = identity::ensure_first_admin_key(deployment.owner(), args.admin_key.clone()).await?;
    let health = Health::new(shutdown.token());
    let roles = Roles::start(args, deployment, infrastructure.topic.clone(), shutdown, &health).await?;
    let router = roles.router(health);
    banner::print_up(address, first_key.as_ref(), provided);
    let served = http::serve(router, listener, shutdown.token(), DRAIN_TIMEOUT).await;
    roles.stop().await;
    Ok(served?)
}

/// The servers that the roles use.
struct Infrastructure {
    deployment: Deployment,
    postgres: Option<Supervised>,
    kafka: Option<Supervised>,
    topic: Option<Topic>,
}

impl Infrastructure {
    async fn start(args: &UpArgs) -> anyhow::Result<Infrastructure> {
        let mut deployment = Deployment::open_exclusively(&args.deployment).await?;
        let postgres = deployment.take_postgres().map(Supervised::postgres);
        let (kafka, brokers) = match args.kafka.kafka.as_deref() {
            Some(EMBEDDED) => {
                let kafka = Kafka::start(kafka::Options::new(&args.deployment.data)).await?;
                let brokers = kafka.bootstrap();
                (Some(Supervised::kafka(kafka)), Some(brokers))
            }
            Some(brokers) => (None, Some(brokers.to_owned())),
            None => (None, None),
        };
        let topic = brokers.as_deref().map(|brokers| topic(&args.kafka, brokers));
        Ok(Infrastructure { deployment, postgres, kafka, topic })
    }

    /// Stops the children, Kafka before Postgres, because the relay stores its progress in Postgres.
    async fn stop(self) -> anyhow::Result<()> {
        let kafka = match self.kafka {
            Some(kafka) => kafka.stop().await,
            None => Ok(()),
        };
        let closed = self.deployment.close().await;
        let postgres = match self.postgres {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        };
        kafka.and(closed).and(postgres)
    }
}

/// Every role.
struct Roles {
    command: CommandService,
    projector: Projector,
    reader: Reader,
    store: Database,
}

impl Roles {
    async fn start(
        args: &UpArgs,
        deployment: &Deployment,
        topic: Option<Topic>,
        shutdown: &Shutdown,
        health: &Health,
    ) -> anyhow::Result<Roles> {
        let store = deployment.service().await?;
        health.add_database("event store", store.clone());
        let following = Settings::new("recount-projector", Workload::Following)
            .connections_max(PROJECTOR_CONNECTIONS_MAX);
        let read = database::connect(deployment.url(), &following).await?;
        let answering =
            Settings::new("recount-query-service", Workload::Queries).connections_max(QUERY_CONNECTIONS_MAX);
        let queries = database::connect(deployment.url(), &answering).await?;
        let projector = Projector::start(LogReader::new(&read), &read, topic.clone())
            .await
            .context("the projector cannot start")?;
        projector.watch(health);
        let command = CommandService::start(&store, topic, args.engine.tuning())
            .await
            .context("the command service cannot start")?;
        command.watch(health);
        let reader = Reader::start(queries, shutdown.token());
        reader.watch(health);
        Ok(Roles { command, projector, reader, store })
    }

    fn router(&self, health: Health) -> axum::Router {
        let authenticator = Authenticator::new(self.store.clone());
        let log_reader = LogReader::new(&self.store);
        let api = self.command.router(authenticator.clone()).merge(recount_query_service::router(
            self.reader.clone(),
            log_reader,
            authenticator,
        ));
        let (routes, document) = api.split_for_parts();
        HttpStack::new(health, telemetry::metrics_handle())
            .with_catalogue(ledger::catalogue())
            .with_catalogue(recount_query_service::catalogue())
            .wrap(routes.merge(http::openapi(document, API)))
    }

    /// Stops the writers before the readers.
    async fn stop(self) {
        self.command.stop().await;
        self.projector.stop().await;
    }
}
