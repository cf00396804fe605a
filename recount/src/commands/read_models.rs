//! `recount read-models`: puts right what is not made from its log.

use anyhow::Context;
use clap::{Args, Subcommand};
use recount_projector::{diverged_ledgers, remake};
use recount_service_kit::config::secret;
use recount_service_kit::database::{self, Database, Settings, Workload};
use secrecy::SecretString;

use crate::deployment::{Deployment, DeploymentArgs};

/// Put read models right
#[derive(Debug, Subcommand)]
pub(crate) enum ReadModelsCommand {
    Remake(RemakeArgs),
}

/// Make the read models of a ledger again from its log
///
/// Needed after the log of a ledger went back or was rewritten, as by a failover that lost events. The rows of the ledger
/// are deleted, and the projectors read its log again from the start; they may be running or not. If the log is published
/// to Kafka, it is published again. Until the log has been read, queries of the ledger do not find it or show earlier
/// positions.
#[derive(Debug, Args)]
pub(crate) struct RemakeArgs {
    /// The ledger
    #[arg(required_unless_present = "all_diverged", conflicts_with = "all_diverged")]
    ledger: Option<String>,
    /// All ledgers whose read models are not made from their log as it is now
    #[arg(long)]
    all_diverged: bool,
    /// The database of the read models, if it is another one
    #[arg(long, env = "RECOUNT_READ_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    read_database_url: Option<SecretString>,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

pub(crate) async fn run(command: ReadModelsCommand) -> anyhow::Result<()> {
    let ReadModelsCommand::Remake(args) = command;
    let deployment = Deployment::open(&args.deployment).await?;
    let done = execute(&args, deployment.owner()).await;
    deployment.close().await?;
    done
}

async fn execute(args: &RemakeArgs, store: &Database) -> anyhow::Result<()> {
    let settings = Settings::new("recount read-models", Workload::Maintenance).connections_max(2);
    let read_models = match &args.read_database_url {
        Some(url) => database::connect(url, &settings).await?,
        None => store.clone(),
    };
    let ledgers = match &args.ledger {
        Some(ledger) => vec![ledger.parse().with_context(|| format!("there is no ledger `{ledger}`"))?],
        None => diverged_ledgers(&read_models).await?,
    };
    if ledgers.is_empty() {
        println!("No ledger has diverged.");
    }
    for ledger in &ledgers {
        let remade = remake(store, &read_models, ledger).await?;
        let rows = remade.rows;
        match remade.end {
            Some(end) => println!(
                "`{ledger}`: {rows} rows are deleted. The projectors make them again from the log, up to position {end}."
            ),
            None => println!("`{ledger}`: {rows} rows are deleted. The log does not exist any more."),
        }
    }
    Ok(())
}
