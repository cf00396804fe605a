//! Start-up of a service with one database and one address, in one straight line.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::config::{OutputArgs, SafetyArgs, secret};
use crate::database::{self, ConnectError, Database, Settings, Workload};
use crate::health::Health;
use crate::http::{self, BindError, HttpStack, ServeError};
use crate::problem::ProblemKind;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// How long requests in progress may take once it is time to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);

/// The settings of such a service, also as a part of its own.
#[derive(Clone, Debug, Parser)]
pub struct ServiceArgs {
    /// The Postgres database, as postgres://user:password@host:port/database. The service has it for itself.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: SecretString,
    /// The address to listen on.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub safety: SafetyArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// A service that is about to serve: it listens, and it is connected.
#[derive(Debug)]
pub struct Startup {
    pub database: Database,
    pub health: Health,
    pub shutdown: Shutdown,
    listener: TcpListener,
    metrics: PrometheusHandle,
}

impl Startup {
    /// Starts the output and the metrics of the process, listens to its signals, binds its address, and connects. Must be
    /// called within a tokio runtime, once per process.
    pub async fn begin(name: &str, args: &ServiceArgs, connections_max: u32) -> Result<Startup, StartError> {
        telemetry::init(args.output.log_format);
        let shutdown = Shutdown::on_signals();
        // The address first: it is the cheapest setting to check.
        let listener = http::bind(args.listen).await?;
        // Before anything records a metric.
        let metrics = telemetry::metrics_handle();
        let settings = Settings::new(name, Workload::Commands)
            .connections_max(connections_max)
            .allow_unsafe(args.safety.allow_unsafe_database);
        let database = database::connect(&args.database_url, &settings).await?;
        let health = Health::new(shutdown.token());
        health.add_database("database", database.clone());
        Ok(Startup { database, health, shutdown, listener, metrics })
    }

    /// Serves the routes, with health, metrics and the pages of these problems, until a signal asks the process to stop.
    pub async fn serve(
        self,
        routes: Router,
        problems: &[&'static [&'static ProblemKind]],
    ) -> Result<(), ServeError> {
        let stack = HttpStack::new(self.health, self.metrics);
        let stack = problems.iter().copied().fold(stack, HttpStack::with_catalogue);
        http::serve(stack.wrap(routes), self.listener, self.shutdown.token(), DRAIN_TIMEOUT).await
    }
}
