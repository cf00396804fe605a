//! The servers that the tests run against: the user's, those of a running `cargo xtask servers`, or private to the run.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use recount_embedded::{Kafka, Postgres, kafka, postgres};
use tempfile::TempDir;

use crate::needs::Need;
use crate::servers_file;

pub(crate) const DATABASE_URL: &str = "RECOUNT_TEST_DATABASE_URL";
pub(crate) const KAFKA: &str = "RECOUNT_TEST_KAFKA";

/// In the servers file: the data folder, by which a running Postgres is asked whether it is there.
pub(crate) const FOLDER: &str = "FOLDER";

const STOP_TIMEOUT: Duration = Duration::from_secs(120);

/// The data lives as long as the servers, so it need not survive a power cut. Many tests run side by side.
const TEST_SETTINGS: [(&str, &str); 3] =
    [("fsync", "off"), ("full_page_writes", "off"), ("max_connections", "400")];

/// Servers of this process. Their data is deleted with this value.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) postgres: Option<Postgres>,
    pub(crate) kafka: Option<Kafka>,
    pub(crate) folder: TempDir,
}

impl Servers {
    pub(crate) async fn start(needs: &BTreeSet<Need>) -> anyhow::Result<Servers> {
        let folder = tempfile::Builder::new().prefix("recount-test-").tempdir()?;
        let mut servers = Servers { postgres: None, kafka: None, folder };
        if needs.contains(&Need::Postgres) {
            servers.postgres = Some(start_postgres(servers.folder.path()).await?);
        }
        if needs.contains(&Need::Kafka) {
            servers.kafka = Some(start_kafka(servers.folder.path()).await?);
        }
        Ok(servers)
    }

    /// What tests have to find in their environment.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let postgres = self.postgres.as_ref().map(|postgres| (DATABASE_URL, postgres.url("postgres")));
        let kafka = self.kafka.as_ref().map(|kafka| (KAFKA, kafka.bootstrap()));
        postgres.into_iter().chain(kafka).collect()
    }

    /// Their data is deleted anyway, so a server that had to be killed is reported and is no failure.
    pub(crate) async fn stop(self) {
        if let Some(kafka) = self.kafka
            && let Err(error) = kafka.stop(STOP_TIMEOUT).await
        {
            eprintln!("xtask: {error}");
        }
        if let Some(postgres) = self.postgres
            && let Err(error) = postgres.stop(STOP_TIMEOUT).await
        {
            eprintln!("xtask: {error}");
        }
    }
}

/// Servers that run already: named by the user in the environment, or else by `cargo xtask servers`, if they answer.
pub(crate) async fn running(needs: &BTreeSet<Need>) -> Vec<(&'static str, String)> {
    let postgres = match given(DATABASE_URL) {
        None if needs.contains(&Need::Postgres) => shared_postgres().await,
        given => given,
    };
    let kafka = match given(KAFKA) {
        None if needs.contains(&Need::Kafka) => shared_kafka().await,
        given => given,
    };
    let variables = [(DATABASE_URL, postgres), (KAFKA, kafka)];
    variables.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

pub(crate) async fn shared_postgres() -> Option<String> {
    let folder = servers_file::value(FOLDER)?;
    let url = servers_file::value(DATABASE_URL)?;
    postgres::accepts_connections(Path::new(&folder)).await.then_some(url)
}

async fn shared_kafka() -> Option<String> {
    let brokers = servers_file::value(KAFKA)?;
    kafka::is_serving(&brokers).await.then_some(brokers)
}

async fn start_postgres(folder: &Path) -> anyhow::Result<Postgres> {
    let settings = TEST_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = postgres::Options {
        settings: settings.to_vec(),
        cache_dir: cache_dir()?,
        ..postgres::Options::new(folder)
    };
    Postgres::start(options).await.with_context(|| advice(DATABASE_URL))
}

async fn start_kafka(folder: &Path) -> anyhow::Result<Kafka> {
    let options = kafka::Options { cache_dir: cache_dir()?, ..kafka::Options::new(folder) };
    Kafka::start(options).await.with_context(|| advice(KAFKA))
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Outlives the run: in the user's cache or, where there is none, in cargo's target folder.
fn cache_dir() -> anyhow::Result<std::path::PathBuf> {
    Ok(recount_embedded::default_cache_dir(&crate::built("", "recount-cache")?))
}

fn advice(variable: &str) -> String {
    format!(
        "the tests need a server: set {variable} to one of yours, or fix what keeps this one from starting"
    )
}
