//! Which Postgres a subcommand works on: the user's, or the private one in the data folder.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use recount_embedded::postgres::{Options, Postgres};
use recount_service_kit::config::secret;
use recount_service_kit::database;
use recount_store::migrations;
use secrecy::SecretString;
use sqlx::PgPool;

use crate::migrate;
use crate::supervise::STOP_BOUND;

/// The database of the private Postgres.
const EMBEDDED_DATABASE: &str = "postgres";

/// Connections of the owner, who migrates and keeps the keys.
const OWNER_CONNECTIONS_MAX: u32 = 2;

/// Where the database is.
#[derive(Args, Clone, Debug)]
pub(crate) struct DatabaseArgs {
    /// The folder of the private Postgres, made at the first start; not used with --database-url
    #[arg(long, env = "RECOUNT_DATA", default_value = ".recount")]
    pub(crate) data: PathBuf,
    /// A Postgres of yours (15 or newer), as postgres://user:password@host:port/database
    #[arg(long, env = "RECOUNT_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub(crate) database_url: Option<SecretString>,
}

/// A database whose schema is what this program needs.
#[derive(Debug)]
pub(crate) struct Deployment {
    url: SecretString,
    owner: PgPool,
    postgres: Option<Postgres>,
}

impl Deployment {
    /// Connects to the user's database, or to the private one, which it starts unless it runs already.
    pub(crate) async fn open(args: &DatabaseArgs) -> anyhow::Result<Deployment> {
        let postgres = match &args.database_url {
            Some(_) => None,
            None => Some(Postgres::attach_or_start(Options::new(&args.data)).await?),
        };
        // Others may be running on it: the schema is theirs to move.
        let shared = !postgres.as_ref().is_some_and(Postgres::is_ours);
        let deployment = Deployment::connect(args, postgres).await?;
        if shared {
            migrations::verify(&deployment.owner).await?;
        } else {
            migrate::migrate(&deployment.owner, &deployment.owner).await?;
        }
        Ok(deployment)
    }

    /// The same for the one process that keeps the private Postgres running, and everything up to date.
    pub(crate) async fn open_exclusively(args: &DatabaseArgs) -> anyhow::Result<Deployment> {
        let postgres = match &args.database_url {
            Some(_) => None,
            None => Some(Postgres::start(Options::new(&args.data)).await?),
        };
        let deployment = Deployment::connect(args, postgres).await?;
        migrate::migrate(&deployment.owner, &deployment.owner).await?;
        Ok(deployment)
    }

    async fn connect(args: &DatabaseArgs, postgres: Option<Postgres>) -> anyhow::Result<Deployment> {
        let embedded = postgres.as_ref().map(|postgres| SecretString::from(postgres.url(EMBEDDED_DATABASE)));
        let url = embedded.or_else(|| args.database_url.clone()).context("no database was named")?;
        let owner = database::connect(&url, OWNER_CONNECTIONS_MAX, "recount", None).await?;
        Ok(Deployment { url, owner, postgres })
    }

    /// The pool of the owner of the schemas.
    pub(crate) fn owner(&self) -> &PgPool {
        &self.owner
    }

    pub(crate) fn url(&self) -> &SecretString {
        &self.url
    }

    /// The private Postgres, if it is this process that runs it.
    pub(crate) fn take_postgres(&mut self) -> Option<Postgres> {
        self.postgres.take_if(|postgres| postgres.is_ours())
    }

    /// A pool that may append to the log and not change it.
    pub(crate) async fn service_pool(&self) -> anyhow::Result<PgPool> {
        Ok(recount_command_service::connect(&self.url).await?)
    }

    /// Lets go of the database, and stops it if this process started it.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.owner.close().await;
        match self.postgres {
            Some(postgres) => Ok(postgres.stop(STOP_BOUND).await?),
            None => Ok(()),
        }
    }
}
