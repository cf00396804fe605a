//! `recount keys`: the API keys.

use clap::{Args, Subcommand};
use recount_service_kit::identity;
use secrecy::ExposeSecret;

use crate::database::{DatabaseArgs, Deployment};

/// Make, list and revoke API keys
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Make a key and show it; only its hash is stored
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// What the key is for
    name: String,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// List the keys, without their secrets
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Revoke a key; it stops working within half a minute
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The part of the key between rk_ and the secret
    key_id: String,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<()> {
    let database = match &command {
        KeysCommand::Create(args) => &args.database,
        KeysCommand::List(args) => &args.database,
        KeysCommand::Revoke(args) => &args.database,
    };
    let deployment = Deployment::open(database).await?;
    let done = execute(&command, &deployment).await;
    deployment.close().await?;
    done
}

async fn execute(command: &KeysCommand, deployment: &Deployment) -> anyhow::Result<()> {
    let pool = deployment.owner();
    match command {
        KeysCommand::Create(args) => {
            let key = identity::create_key(pool, &args.name).await?;
            println!("{}", key.plaintext.expose_secret());
        }
        KeysCommand::List(_) => {
            for key in identity::list_keys(pool).await? {
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
            identity::revoke_key(pool, &args.key_id).await?;
            println!("{} is revoked.", args.key_id);
        }
    }
    Ok(())
}
