//! The door in front of a real Postgres, whose network and whose tables get in trouble.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod fake;
mod letting_go;
mod sessions;
mod start;

use std::time::Duration;

use recount_postgres::{Database, Settings, Workload};
use recount_test_support::TestDatabase;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections of this name are the tested ones.
const APPLICATION: &str = "the door";

/// With four connections, through the given URL.
async fn connect(url: &str, workload: Workload) -> Database {
    let settings = Settings::new(APPLICATION, workload).connections_max(4).allow_unsafe(true);
    Database::connect(url, &settings).await.unwrap()
}

/// How many of the tested connections the server runs something for.
async fn active(database: &TestDatabase) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and application_name = $1 and state = 'active'",
    )
    .bind(APPLICATION)
    .fetch_one(database.pool())
    .await
    .unwrap()
}
