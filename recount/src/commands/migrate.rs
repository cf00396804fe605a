//! `recount migrate`: brings every schema up to date.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use recount_identity as identity;
use recount_projection as projection;
use recount_projector::ledger::LedgerProjection;
use recount_service_kit::config::{self, secret};
use recount_service_kit::database::{self, Database, Settings, Workload};
use recount_store::{SERVICE_ROLE, migrations};
use secrecy::SecretString;

use crate::banner;

/// How long granting rights may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Bring the schemas up to date, and create the first admin key
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    database: config::DatabaseArgs,
    /// The database of the read models, if it is another one
    #[arg(long, env = "RECOUNT_READ_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    read_database_url: Option<SecretString>,
    /// The first admin key, as rk_<id>_<secret>; generated if absent
    #[arg(long, env = "RECOUNT_ADMIN_KEY", hide_env_values = true, value_parser = secret)]
    admin_key: Option<SecretString>,
}

pub(crate) async fn run(args: MigrateArgs) -> anyhow::Result<()> {
    let url = args.database.required()?;
    let settings = Settings::new("recount migrate", Workload::Maintenance).connections_max(1);
    let store = database::connect(url, &settings).await?;
    let read = match &args.read_database_url {
        Some(url) => database::connect(url, &settings).await?,
        None => store.clone(),
    };
    migrate(&store, &read).await?;
    let provided = args.admin_key.is_some();
    if let Some(key) = identity::ensure_first_admin_key(&store, args.admin_key).await? {
        banner::print_first_key(&key, provided);
    }
    println!("The schemas are up to date.");
    Ok(())
}

/// Brings all schemas up to date. Several processes may do so at once.
pub(crate) async fn migrate(store: &Database, read: &Database) -> anyhow::Result<()> {
    migrations::run(store).await?;
    identity::migrate(store).await?;
    projection::migrate(read, &LedgerProjection).await?;
    grant(store).await.context("the rights of the service role could not be granted")
}

/// Lets the service role check the version of the store's schema. Its other rights come with the schemas.
async fn grant(store: &Database) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(SERVICE_ROLE)
        .fetch_one(store.within(STATEMENT_TIMEOUT))
        .await?;
    if there {
        sqlx::raw_sql("grant select on public.recount_store_migrations to recount_service")
            .execute(store.within(STATEMENT_TIMEOUT))
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use recount_projection::Projection;

    use super::LedgerProjection;

    #[test]
    fn the_read_models_are_new_enough_for_the_queries() {
        assert!(recount_query_service::VERSION_MIN <= i32::from(LedgerProjection.version()));
    }
}
