//! The Postgres that a subcommand works on: the user's, or the private one in the data folder.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use recount_embedded::postgres::{Options, Postgres};
use recount_service_kit::config::{SafetyArgs, secret};
use recount_service_kit::database::{self, Database, Settings, Workload};
use recount_store::migrations;
use secrecy::SecretString;

use crate::commands::migrate;
use crate::supervise::STOP_TIMEOUT;

/// The database of the private Postgres.
const EMBEDDED_DATABASE: &str = "postgres";

/// Connections of the owner, which migrates the schemas and writes the keys.
const OWNER_CONNECTIONS_MAX: u32 = 2;
/// How long the connections in use may take to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The location of the database.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeploymentArgs {
    /// The folder of the private Postgres, created at the first start; unused with --database-url
    #[arg(long, env = "RECOUNT_DATA", default_value = ".recount")]
    pub(crate) data: PathBuf,
    /// Your Postgres (15 or newer), as postgres://user:password@host:port/database
    #[arg(long, env = "RECOUNT_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub(crate) database_url: Option<SecretString>,
    #[command(flatten)]
    pub(crate) safety: SafetyArgs,
}

/// A database with the schemas that this version needs.
#[derive(Debug)]
pub(crate) struct Deployment {
    url: SecretString,
    safety: SafetyArgs,
    owner: Database,
    postgres: Option<Postgres>,
}

impl Deployment {
    /// Connects to the user's database, or to the private one, which it starts unless it is running.
    pub(crate) async fn open(args: &DeploymentArgs) -> anyhow::Result<Deployment> {
        let postgres = match &args.database_url {
            Some(_) => None,
            None => Some(Postgres::attach_or_start(Options::new(&args.data)).await?),
        };
        // Other processes may be using it, so its schema must not change here.
        let shared = !postgres.as_ref().is_some_and(Postgres::is_ours);
        let deployment = Deployment::connect(args, postgres).await?;
        if shared {
            migrations::verify(&deployment.owner).await?;
        } else {
            migrate(&deployment.owner, &deployment.owner).await?;
        }
        Ok(deployment)
    }

    /// The same for the one process that runs the private Postgres and keeps the schemas up to date.
    pub(crate) async fn open_exclusively(args: &DeploymentArgs) -> anyhow::Result<Deployment> {
        let postgres = match &args.database_url {
            Some(_) => None,
            None => Some(Postgres::start(Options::new(&args.data)).await?),
        };
        let deployment = Deployment::connect(args, postgres).await?;
        migrate(&deployment.owner, &deployment.owner).await?;
        Ok(deployment)
    }

    async fn connect(args: &DeploymentArgs, postgres: Option<Postgres>) -> anyhow::Result<Deployment> {
        let embedded = postgres.as_ref().map(|postgres| SecretString::from(postgres.url(EMBEDDED_DATABASE)));
        let url = embedded.or_else(|| args.database_url.clone()).context("no database was specified")?;
        let settings = Settings::new("recount", Workload::Maintenance).connections_max(OWNER_CONNECTIONS_MAX);
        let owner = database::connect(&url, &settings).await?;
        Ok(Deployment { url, safety: args.safety, owner, postgres })
    }

    /// The pool of the owner of the schemas.
    pub(crate) fn owner(&self) -> &Database {
        &self.owner
    }

    pub(crate) fn url(&self) -> &SecretString {
        &self.url
    }

    /// The private Postgres, if this process runs it.
    pub(crate) fn take_postgres(&mut self) -> Option<Postgres> {
        self.postgres.take_if(|postgres| postgres.is_ours())
    }

    /// Connections that may append to the event log but not change it.
    pub(crate) async fn service(&self) -> anyhow::Result<Database> {
        Ok(recount_command_service::connect(&self.url, self.safety.allow_unsafe_database).await?)
    }

    /// Disconnects, and stops the private Postgres if this process started it.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.owner.close(CLOSE_TIMEOUT).await;
        match self.postgres {
            Some(postgres) => Ok(postgres.stop(STOP_TIMEOUT).await?),
            None => Ok(()),
        }
    }
}
