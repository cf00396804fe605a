//! Postgres without a service: the rows that the service wrote, inserted again into other logs.

mod append;
mod insert;
mod rows;

use sqlx::{Connection, PgConnection, PgPool};

pub(crate) use append::{Appender, Way};
pub(crate) use insert::Inserter;
pub(crate) use rows::{Rows, capture};

use crate::random::Random;

/// A log for the inserted rows, and its head.
#[derive(Debug)]
struct Log {
    connection: PgConnection,
    key: i64,
    head: i64,
}

impl Log {
    async fn open(database_url: &str, key: i64) -> anyhow::Result<Log> {
        let mut connection = PgConnection::connect(database_url).await?;
        let head = sqlx::query_scalar("select head from store.logs where log = $1")
            .bind(key)
            .fetch_one(&mut connection)
            .await?;
        Ok(Log { connection, key, head })
    }
}

/// Creates an empty log and returns its key.
pub(crate) async fn make_log(pool: &PgPool, name: &str, random: &mut Random) -> anyhow::Result<i64> {
    let key = random.next().cast_signed();
    sqlx::query("select store.create_log($1, $2)").bind(key).bind(name).execute(pool).await?;
    Ok(key)
}
