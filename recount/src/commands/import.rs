//! `recount import`: imports a journal of postings.

use anyhow::bail;
use clap::Args;
use recount_command_service::CommandService;
use recount_import::{Import, ImportArgs};
use recount_writer::Tuning;

use crate::deployment::{Deployment, DeploymentArgs};

/// Import a journal of postings
///
/// The file is CSV with the columns transaction, date, description, account, amount and commodity, and one row per posting.
/// Amounts are signed, debits are positive. Rows with the same transaction become one transaction. A file with an error
/// changes nothing.
#[derive(Debug, Args)]
pub(crate) struct ImportCommand {
    #[command(flatten)]
    import: ImportArgs,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

pub(crate) async fn run(command: ImportCommand) -> anyhow::Result<()> {
    // Finds every error in the file before anything is changed.
    let import = Import::read(&command.import)?;
    let deployment = Deployment::open(&command.deployment).await?;
    let service = CommandService::start(&deployment.service().await?, None, Tuning::default()).await?;
    let result = import.run(service.engine()).await;
    service.stop().await;
    deployment.close().await?;
    let report = result?;
    print!("{report}");
    if report.is_complete() {
        Ok(())
    } else {
        bail!("some transactions were refused; the others were posted")
    }
}
