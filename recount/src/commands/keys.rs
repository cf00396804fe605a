//! `recount keys`: manages the API keys.

use clap::{Args, Subcommand};
use recount_identity as identity;
use secrecy::ExposeSecret;

use crate::deployment::{Deployment, DeploymentArgs};

/// Create, list and revoke API keys
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Create a key and print it; only its hash is stored
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The purpose of the key
    name: String,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

/// List the keys, without their secrets
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    deployment: DeploymentArgs,
}

/// Revoke a key; it stops working within half a minute
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The id of the key: the part between rk_ and the secret
    key_id: String,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<()> {
    let args = match &command {
        KeysCommand::Create(args) => &args.deployment,
        KeysCommand::List(args) => &args.deployment,
        KeysCommand::Revoke(args) => &args.deployment,
    };
    let deployment = Deployment::open(args).await?;
    let done = execute(&command, &deployment).await;
    deployment.close().await?;
    done
}

async fn execute(command: &KeysCommand, deployment: &Deployment) -> anyhow::Result<()> {
    let database = deployment.owner();
    match command {
        KeysCommand::Create(args) => {
            let key = identity::create_key(database, &args.name).await?;
            println!("{}", key.plaintext.expose_secret());
        }
        KeysCommand::List(_) => {
            for key in identity::list_keys(database).await? {
                let state = if key.revoked_at.is_some() { "revoked" } else { "valid" };
                println!(
                    "{}  {}  {state}  {}",
                    key.key_id,
                    key.created_at.format("%Y-%m-%d %H:%M:%SZ"),
                    key.name
                );
            }
        }
        KeysCommand::Revoke(args) => {
            identity::revoke_key(database, &args.key_id).await?;
            println!("{} is revoked.", args.key_id);
        }
    }
    Ok(())
}
