//! A fresh database per test, dropped at its end.

use std::str::FromStr;
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::{required, unique_name};

/// Many tests share one server, so none may take many connections.
const CONNECTIONS_MAX: u32 = 10;

/// The Postgres of the test run: `RECOUNT_TEST_DATABASE_URL`, or that of a running `cargo xtask servers`.
pub fn database_url() -> String {
    required("RECOUNT_TEST_DATABASE_URL")
}

/// An empty database for one test. Dropping this value drops the database, also when the test fails.
#[derive(Debug)]
pub struct TestDatabase {
    server_url: String,
    name: String,
    url: String,
    pool: PgPool,
}

impl TestDatabase {
    /// On the server at [`database_url`], whose user must be allowed to create databases.
    pub async fn create() -> TestDatabase {
        let server_url = database_url();
        let name = unique_name("recount_test_");
        execute(&server_url, format!("create database {name}"))
            .await
            .expect("the user of the test server may create databases");
        let url = with_database(&server_url, &name);
        let options = PgConnectOptions::from_str(&url).expect("it was made from a URL that worked");
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).connect_lazy_with(options);
        TestDatabase { server_url, name, url, pool }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for TestDatabase {
    /// Best effort: the server of a test run goes away with all its databases, and on a user's server a leftover does no
    /// harm.
    fn drop(&mut self) {
        let server_url = std::mem::take(&mut self.server_url);
        let statement = format!("drop database if exists {} with (force)", self.name);
        // The test's own runtime may be gone already, or may be running on this very thread.
        let dropper = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(execute(&server_url, statement)))
        });
        if !matches!(dropper.join(), Ok(Ok(Ok(())))) {
            eprintln!("could not drop the test database {}", self.name);
        }
    }
}

async fn execute(url: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    // Safe: the statement contains only our own text and a generated name.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

/// The URL of another database on the same server: only the path changes.
fn with_database(url: &str, database: &str) -> String {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = |from: usize, stops: &[char]| url[from..].find(stops).map_or(url.len(), |at| from + at);
    let path = end(authority, &['/', '?']);
    let query = end(path, &['?']);
    format!("{}/{database}{}", &url[..path], &url[query..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_changes() {
        for (given, expected) in [
            ("postgres://u@h:1/old?host=%2Frun", "postgres://u@h:1/new?host=%2Frun"),
            ("postgres://u@h/old", "postgres://u@h/new"),
            ("postgres://u@h?host=/run", "postgres://u@h/new?host=/run"),
            ("postgres://u@h", "postgres://u@h/new"),
        ] {
            assert_eq!(with_database(given, "new"), expected);
        }
    }

    #[tokio::test]
    async fn a_test_database_is_empty_and_gone_afterwards() {
        let database = TestDatabase::create().await;
        let (server_url, name) = (database.server_url.clone(), database.name.clone());
        sqlx::query("create table t (n int)").execute(database.pool()).await.unwrap();
        drop(database);

        let mut server = PgConnection::connect(&server_url).await.unwrap();
        let left: i64 = sqlx::query_scalar("select count(*) from pg_database where datname = $1")
            .bind(&name)
            .fetch_one(&mut server)
            .await
            .unwrap();
        assert_eq!(left, 0);
    }
}
