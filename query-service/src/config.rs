//! The settings of the role.

use clap::{Args, ValueHint};
use recount_service_kit::config::{DatabaseArgs, ListenArgs, NoDatabase, secret};
use secrecy::SecretString;

/// The settings of `recount query-service`.
#[derive(Args, Clone, Debug)]
pub struct QueryConfig {
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The Postgres with the read models [default: the one of the event store]
    #[arg(
        long,
        env = "RECOUNT_READ_DATABASE_URL",
        hide_env_values = true,
        value_parser = secret,
        value_hint = ValueHint::Url
    )]
    pub read_database_url: Option<SecretString>,
    /// The maximum number of connections to the read models.
    #[arg(
        long,
        env = "RECOUNT_READ_CONNECTIONS",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(2..=1_000)
    )]
    pub read_connections: u32,
    #[command(flatten)]
    pub listen: ListenArgs,
}

impl QueryConfig {
    /// The URL of the Postgres with the read models.
    pub fn read_url(&self) -> Result<&SecretString, NoDatabase> {
        match &self.read_database_url {
            Some(url) => Ok(url),
            None => self.database.required(),
        }
    }
}
