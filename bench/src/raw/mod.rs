//! Postgres without a service: the rows that the service wrote, inserted again into other logs.

mod append;
mod insert;
mod rows;

use sqlx::{Connection, PgConnection, PgPool};

pub(crate) use append::Appender;
pub(crate) use insert::Inserter;
pub(crate) use rows::{Rows, capture};

use crate::random::Random;

/// A log for the inserted rows, and where it ends.
#[derive(Debug)]
struct Log {
    connection: PgConnection,
    key: i64,
    head: i64,
    hash: Vec<u8>,
}

impl Log {
    async fn open(database_url: &str, key: i64) -> anyhow::Result<Log> {
        let mut connection = PgConnection::connect(database_url).await?;
        let (head, hash) = sqlx::query_as("select position, hash from store.tip($1)")
            .bind(key)
            .fetch_one(&mut connection)
            .await?;
        Ok(Log { connection, key, head, hash })
    }

    /// Goes on behind a batch with these hashes.
    fn advance(&mut self, mut hashes: Vec<Vec<u8>>) {
        self.head += i64::try_from(hashes.len()).expect("a batch is small");
        self.hash = hashes.pop().unwrap_or_default();
    }
}

/// Creates an empty log and returns its key.
pub(crate) async fn make_log(pool: &PgPool, name: &str, random: &mut Random) -> anyhow::Result<i64> {
    let key = random.next().cast_signed();
    sqlx::query("select store.create_log($1, $2)").bind(key).bind(name).execute(pool).await?;
    Ok(key)
}
