//! The one binary of Recount: everything at once with `up`, or one role in each process.
//!
//! What is here is start-up and shutdown, in straight lines; the work is done by the libraries of the services.

mod banner;
mod database;
mod healthcheck;
mod import;
mod keys;
mod migrate;
mod supervise;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use recount_command_service::CommandServiceConfig;
use recount_projector::ProjectorConfig;
use recount_query_service::QueryConfig;
use recount_service_kit::config::LogArgs;
use recount_service_kit::shutdown::Shutdown;
use recount_service_kit::telemetry;

/// The command side makes many small allocations on several threads; this takes a fifth of its time off.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Event-sourced CQRS with a double-entry ledger: every number can be recounted.
#[derive(Debug, Parser)]
#[command(name = "recount", version)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Up(up::UpArgs),
    /// Take commands over HTTP, append events, relay them to Kafka
    CommandService(CommandServiceConfig),
    /// Keep the read models up to date with the log
    Projector(ProjectorConfig),
    /// Answer queries from the read models
    QueryService(QueryConfig),
    Migrate(migrate::MigrateArgs),
    Import(import::ImportArgs),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    Healthcheck(healthcheck::HealthcheckArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(cli.log.log_format);
    match start(cli.action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recount: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(action: Action) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(action));
    // What was asked to stop has stopped; whatever is left must not hold the process.
    runtime.shutdown_background();
    result
}

async fn run(action: Action) -> anyhow::Result<()> {
    match action {
        Action::Up(args) => up::run(args).await,
        Action::CommandService(config) => {
            tracing::info!(?config, "command service");
            Ok(recount_command_service::run(config, Shutdown::on_signals()).await?)
        }
        Action::Projector(config) => {
            tracing::info!(?config, "projector");
            Ok(recount_projector::run(&config, Shutdown::on_signals().token()).await?)
        }
        Action::QueryService(config) => {
            tracing::info!(?config, "query service");
            Ok(recount_query_service::run(config, Shutdown::on_signals()).await?)
        }
        Action::Migrate(args) => migrate::run(args).await,
        Action::Import(args) => import::run(args).await,
        Action::Keys(command) => keys::run(command).await,
        Action::Healthcheck(args) => healthcheck::run(args).await,
    }
}
