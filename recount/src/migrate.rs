//! `recount migrate`: brings every schema up to date.

use anyhow::Context;
use clap::Args;
use recount_projection as projection;
use recount_projector::ledger::LedgerProjection;
use recount_service_kit::config::{self, secret};
use recount_service_kit::{database, identity};
use recount_store::{SERVICE_ROLE, migrations};
use secrecy::SecretString;
use sqlx::PgPool;

use crate::banner;

/// Bring the schemas up to date, and make the first admin key
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    database: config::DatabaseArgs,
    /// Where the read models are, if not in the same database
    #[arg(long, env = "RECOUNT_READ_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    read_database_url: Option<SecretString>,
    /// The first admin key, if it is not to be made here: rk_<id>_<secret>
    #[arg(long, env = "RECOUNT_ADMIN_KEY", hide_env_values = true, value_parser = secret)]
    admin_key: Option<SecretString>,
}

pub(crate) async fn run(args: MigrateArgs) -> anyhow::Result<()> {
    let url = args.database.required()?;
    let store = database::connect(url, 1, "recount migrate", None).await?;
    let read = match &args.read_database_url {
        Some(url) => database::connect(url, 1, "recount migrate", None).await?,
        None => store.clone(),
    };
    migrate(&store, &read).await?;
    let given = args.admin_key.is_some();
    if let Some(key) = identity::ensure_first_admin_key(&store, args.admin_key).await? {
        banner::print_first_key(&key, given);
    }
    println!("The schemas are up to date.");
    Ok(())
}

/// Brings the schemas of the store and of the read models up to date. Several processes may do so at once.
pub(crate) async fn migrate(store: &PgPool, read: &PgPool) -> anyhow::Result<()> {
    migrations::run(store).await?;
    identity::migrate(store).await?;
    projection::migrate(read, &LedgerProjection).await?;
    grant(store).await.context("the service role could not be given its rights")
}

/// Lets the service role check keys, and see whether the store's schema is the one that it needs. The store's own rights
/// come with the store's schema.
async fn grant(store: &PgPool) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(SERVICE_ROLE)
        .fetch_one(store)
        .await?;
    if there {
        sqlx::raw_sql(
            "grant usage on schema identity to recount_service;
             grant select on identity.api_keys to recount_service;
             grant select on public.recount_store_migrations to recount_service;",
        )
        .execute(store)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use recount_projection::Projection;

    use super::LedgerProjection;

    #[test]
    fn the_queries_need_no_later_version_than_there_is() {
        assert!(recount_query_service::VERSION_MIN <= i32::from(LedgerProjection.version()));
    }
}
