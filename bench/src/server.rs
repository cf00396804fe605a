//! The private Postgres of all scenarios, and its temporary folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use recount_embedded::postgres::Options;
use recount_embedded::{Postgres, default_cache_dir};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;

const STOP_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Server {
    postgres: Postgres,
    superuser: PgPool,
    folder: TempDir,
}

impl Server {
    /// Starts a Postgres with the durable settings of `recount up`.
    pub(crate) async fn start(below: &Path) -> anyhow::Result<Server> {
        let folder = tempfile::Builder::new()
            .prefix("recount-bench-")
            .tempdir_in(below)
            .with_context(|| format!("cannot create a temporary folder in {}", below.display()))?;
        let data = folder.path().join("data");
        let cache_dir = default_cache_dir(below);
        let postgres = Postgres::start(Options { cache_dir, ..Options::new(data) }).await?;
        let superuser = PgPoolOptions::new().max_connections(1).connect_lazy(&postgres.url("postgres"))?;
        Ok(Server { postgres, superuser, folder })
    }

    /// The settings that decide about durability, as the server reports them.
    pub(crate) async fn settings(&self) -> anyhow::Result<String> {
        Ok(sqlx::query_scalar(
            "select 'Postgres ' || current_setting('server_version') || ', ' || string_agg(name || ' ' || setting, ', ' order by name)
             from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')",
        )
        .fetch_one(&self.superuser)
        .await?)
    }

    pub(crate) async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        self.execute(format!(r#"create database "{name}""#)).await?;
        Ok(self.postgres.url(name))
    }

    pub(crate) async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        self.execute(format!(r#"drop database "{name}" with (force)"#)).await
    }

    /// Writes all dirty pages, so that no scenario pays for the writes of another one.
    pub(crate) async fn checkpoint(&self) -> anyhow::Result<()> {
        self.execute("checkpoint".to_owned()).await
    }

    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.superuser).await?;
        Ok(())
    }

    /// The process id of the postmaster.
    pub(crate) fn postgres_pid(&self) -> anyhow::Result<u32> {
        let pid = self.postgres.pid().context("another process runs Postgres")?;
        Ok(u32::try_from(pid)?)
    }

    /// The file for the output of a service.
    pub(crate) fn output_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.superuser.close().await;
        let stopped = self.postgres.stop(STOP_TIMEOUT).await;
        self.folder.close().context("the temporary folder could not be removed")?;
        Ok(stopped?)
    }
}
