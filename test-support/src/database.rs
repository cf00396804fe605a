//! A fresh database per test, dropped at its end.

use std::str::FromStr;
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::{required, unique_name};

/// Many tests share one server, so none may take many connections.
const CONNECTIONS_MAX: u32 = 10;

/// An empty database of its own. It is dropped with this value, also when the test fails.
#[derive(Debug)]
pub struct TestDatabase {
    server_url: String,
    name: String,
    url: String,
    pool: PgPool,
}

impl TestDatabase {
    /// On the server at `RECOUNT_TEST_DATABASE_URL`, whose user must be allowed to create databases.
    pub async fn create() -> TestDatabase {
        let server_url = required("RECOUNT_TEST_DATABASE_URL");
        let name = unique_name("recount_test_");
        execute(&server_url, format!("create database {name}"))
            .await
            .expect("the test server makes databases");
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
    /// Best effort: a run's server goes away with all its databases, and a user's server is only littered.
    fn drop(&mut self) {
        let server_url = std::mem::take(&mut self.server_url);
        let statement = format!("drop database if exists {} with (force)", self.name);
        // The test's own runtime may be gone, or be this very thread.
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
    // Our own words and a name of our own making.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

/// The same server, another database: the path of the URL is what changes.
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
