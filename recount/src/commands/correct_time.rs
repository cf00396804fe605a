//! `recount correct-time`: sets the time of a ledger back that ran ahead.

use anyhow::{Context, bail};
use clap::Args;
use recount_command_service::CommandService;
use recount_core::LogName;
use recount_writer::{SubmitError, Tuning};

use crate::deployment::{Deployment, DeploymentArgs};

/// Who caused the event, as recorded with it.
const META: &str = r#"{"actor":{"kind":"operator","tool":"recount correct-time"}}"#;

/// Set back the time of a ledger that ran ahead of the database's clock
///
/// Events are recorded in the order of time, so a ledger with an event from the future stays in the future until the clock
/// has caught up. This appends the event `time-corrected`, and what follows is recorded at the true time again. What was
/// decided in the future stays decided. The services may run.
#[derive(Debug, Args)]
pub(crate) struct CorrectTimeArgs {
    /// The ledger
    ledger: LogName,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

pub(crate) async fn run(args: CorrectTimeArgs) -> anyhow::Result<()> {
    let deployment = Deployment::open(&args.deployment).await?;
    let service = CommandService::start(&deployment.service().await?, None, Tuning::default()).await?;
    let corrected = service.engine().correct_time(&args.ledger, META.into()).await;
    service.stop().await;
    deployment.close().await?;
    match corrected {
        Ok(Some(event)) => {
            println!("corrected: `{}` goes on in the true time with event {}", args.ledger, event.position)
        }
        Ok(None) => println!("nothing to do: the time of `{}` is not ahead", args.ledger),
        Err(SubmitError::LogUnknown) => bail!("there is no ledger `{}`", args.ledger),
        Err(error) => return Err(error).context("the time could not be corrected"),
    }
    Ok(())
}
