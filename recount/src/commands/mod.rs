//! The subcommands, one module each. The roles have none: their settings and their work are in the libraries of the
//! services.

mod correct_time;
mod healthcheck;
mod import;
mod keys;
mod migrate;
mod read_models;
mod up;

use clap::Subcommand;
use recount_command_service::CommandServiceConfig;
use recount_projector::ProjectorConfig;
use recount_query_service::QueryConfig;
use recount_service_kit::shutdown::Shutdown;

pub(crate) use migrate::migrate;

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Up(up::UpArgs),
    /// Run the command service: accept commands over HTTP, append events, publish them to Kafka
    CommandService(CommandServiceConfig),
    /// Run a projector: keep the read models up to date with the event log
    Projector(ProjectorConfig),
    /// Run the query service: answer queries from the read models
    QueryService(QueryConfig),
    Migrate(migrate::MigrateArgs),
    Import(import::ImportCommand),
    CorrectTime(correct_time::CorrectTimeArgs),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    ReadModels(read_models::ReadModelsCommand),
    Healthcheck(healthcheck::HealthcheckArgs),
}

impl Action {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
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
            Action::CorrectTime(args) => correct_time::run(args).await,
            Action::Import(command) => import::run(command).await,
            Action::Keys(command) => keys::run(command).await,
            Action::ReadModels(command) => read_models::run(command).await,
            Action::Healthcheck(args) => healthcheck::run(args).await,
        }
    }
}
