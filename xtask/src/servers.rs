//! The servers that the tests run against: private to the run, or the user's.

use std::time::Duration;

use anyhow::Context;
use recount_embedded::{Kafka, Postgres, kafka, postgres};
use tempfile::TempDir;

pub(crate) const DATABASE_URL: &str = "RECOUNT_TEST_DATABASE_URL";
pub(crate) const KAFKA: &str = "RECOUNT_TEST_KAFKA";

const STOP_BOUND: Duration = Duration::from_secs(120);

/// The data lives for this run only, so it need not survive a power cut. Many tests run side by side.
const TEST_SETTINGS: [(&str, &str); 3] =
    [("fsync", "off"), ("full_page_writes", "off"), ("max_connections", "400")];

#[derive(Debug)]
pub(crate) struct Servers {
    postgres: Option<Postgres>,
    kafka: Option<Kafka>,
    /// What the tests find in their environment.
    pub(crate) environment: Vec<(&'static str, String)>,
    _folder: TempDir,
}

impl Servers {
    pub(crate) async fn start() -> anyhow::Result<Servers> {
        let folder = tempfile::Builder::new().prefix("recount-test-").tempdir()?;
        let mut environment = Vec::new();

        let postgres = match given(DATABASE_URL) {
            Some(url) => {
                environment.push((DATABASE_URL, url));
                None
            }
            None => {
                let settings = TEST_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let options = postgres::Options {
                    settings: settings.to_vec(),
                    cache_dir: cache_dir()?,
                    ..postgres::Options::new(folder.path())
                };
                let started = Postgres::start(options).await.with_context(|| advice(DATABASE_URL))?;
                environment.push((DATABASE_URL, started.url("postgres")));
                Some(started)
            }
        };

        let kafka = match given(KAFKA) {
            Some(brokers) => {
                environment.push((KAFKA, brokers));
                None
            }
            None => {
                let options =
                    kafka::Options { cache_dir: cache_dir()?, ..kafka::Options::new(folder.path()) };
                let started = Kafka::start(options).await.with_context(|| advice(KAFKA))?;
                environment.push((KAFKA, started.bootstrap()));
                Some(started)
            }
        };
        Ok(Servers { postgres, kafka, environment, _folder: folder })
    }

    /// What they hold is thrown away: one that had to be killed is worth a word and no failure.
    pub(crate) async fn stop(self) {
        if let Some(kafka) = self.kafka
            && let Err(error) = kafka.stop(STOP_BOUND).await
        {
            eprintln!("xtask: {error}");
        }
        if let Some(postgres) = self.postgres
            && let Err(error) = postgres.stop(STOP_BOUND).await
        {
            eprintln!("xtask: {error}");
        }
    }
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Outlives the run: in the user's cache, or, where there is none, in cargo's target folder.
fn cache_dir() -> anyhow::Result<std::path::PathBuf> {
    Ok(recount_embedded::default_cache_dir(&crate::built("", "recount-cache")?))
}

fn advice(variable: &str) -> String {
    format!("the tests need a server: set {variable} to one of yours, or help this to start")
}
