//! The door to Postgres, for processes: with a URL that is a secret. The queries belong to the crates that own the schemas.

pub use recount_postgres::{
    ConnectError, Database, Failure, Listener, Settings, Transaction, WithinLease, Workload,
    is_undefined_table, read_again, sqlstate,
};
use secrecy::{ExposeSecret, SecretString};

/// Connects, and waits for a database that is still starting.
pub async fn connect(url: &SecretString, settings: &Settings<'_>) -> Result<Database, ConnectError> {
    Database::connect(url.expose_secret(), settings).await
}
