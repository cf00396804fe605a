//! Connections that are in use. What is not given back is closed.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::limits::{ORPHAN_TIMEOUT, RETURN_TIMEOUT, setting};
use crate::within::WithinLease;

/// A connection in use. [`Lease::give_back`] returns it to the pool; a lease that is dropped otherwise closes its
/// connection at once, because nobody knows what is still running on it.
///
/// The pool's own way is to wait until the server is ready again, for which there is no limit: if the host has vanished,
/// the pool would lack the connection until TCP gives up after a quarter of an hour.
#[derive(Debug)]
pub struct Lease {
    database: Database,
    /// Always there, except while the lease ends.
    connection: Option<PoolConnection<Postgres>>,
    place: Option<OwnedSemaphorePermit>,
    /// Whether the session has other limits than those of the pool.
    altered: bool,
    /// Whether a statement that was started through [`Lease::within`] has not ended.
    busy: bool,
}

const ENDED: &str = "only the end of a lease takes its connection";

impl Lease {
    pub(crate) fn new(
        database: Database,
        connection: PoolConnection<Postgres>,
        place: OwnedSemaphorePermit,
    ) -> Lease {
        Lease { database, connection: Some(connection), place: Some(place), altered: false, busy: false }
    }

    /// Returns the connection to the pool. Only after the work on it has ended: no statement and no transaction is open.
    pub fn give_back(self) {
        self.end("");
    }

    /// Executes this statement and returns the connection to the pool, in the background and within a time limit.
    fn end(mut self, last_words: &'static str) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.altered || self.busy {
            return;
        }
        let place = self.place.take();
        let Some(mut connection) = self.connection.take() else { return };
        runtime.spawn(async move {
            if !last_words.is_empty() {
                let said = timeout(RETURN_TIMEOUT, connection.execute(last_words)).await;
                if !matches!(said, Ok(Ok(_))) {
                    drop(connection.detach());
                    return;
                }
            }
            // The pool tests what it gets back, without a limit of its own. Dropping the test closes the connection.
            let _ = timeout(RETURN_TIMEOUT, connection.return_to_pool()).await;
            drop(place);
        });
    }

    /// Executes statements on this connection, each of them within this time. After a limit has elapsed, drop the lease.
    pub fn within(&mut self, limit: Duration) -> WithinLease<'_> {
        let Lease { database, connection, busy, .. } = self;
        let connection = connection.as_mut().expect(ENDED);
        WithinLease { database, connection, busy, limit }
    }

    /// Lets the statements of this lease run longer than those of the pool. Its connection is not used again afterwards.
    pub async fn allow(&mut self, statement_timeout: Duration) -> Result<(), sqlx::Error> {
        self.altered = true;
        set_statement_timeout("set", self, statement_timeout).await
    }
}

async fn set_statement_timeout(
    set: &'static str,
    connection: &mut PgConnection,
    limit: Duration,
) -> Result<(), sqlx::Error> {
    // Safe: the text is ours, and the number is a number.
    let sql = AssertSqlSafe(format!("{set} statement_timeout = '{}'", setting(Some(limit))));
    connection.execute(sql).await.map(drop)
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(ENDED)
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(ENDED)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // Closes the socket without a word. The server notices when it looks at its client the next time.
        drop(connection.detach());
        let place = self.place.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                sleep(ORPHAN_TIMEOUT).await;
                drop(place);
            });
        }
    }
}

/// A transaction with its connection. If it is dropped before [`Transaction::commit`] or [`Transaction::rollback`], the
/// connection is closed, which rolls it back. The driver does not know of it: set savepoints by SQL.
#[derive(Debug)]
pub struct Transaction {
    lease: Lease,
}

impl Transaction {
    pub(crate) async fn begin(mut lease: Lease, statement: &'static str) -> Result<Transaction, sqlx::Error> {
        lease.execute(statement).await?;
        Ok(Transaction { lease })
    }

    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.lease.execute("commit").await?;
        self.lease.give_back();
        Ok(())
    }

    /// Rolls back and gives the connection back. Dropping the transaction rolls back as well, and closes it.
    pub async fn rollback(mut self) -> Result<(), sqlx::Error> {
        self.lease.execute("rollback").await?;
        self.lease.give_back();
        Ok(())
    }

    /// Ends a transaction that has only read, without waiting for it: its connection goes back in the background. If a
    /// statement of [`Transaction::within`] has not ended, the connection is closed.
    pub fn end_reading(self) {
        self.lease.end("rollback");
    }

    /// Executes statements in this transaction, each of them within this time. After a limit has elapsed, drop it.
    pub fn within(&mut self, limit: Duration) -> WithinLease<'_> {
        self.lease.within(limit)
    }

    /// Lets the statements of this transaction run longer than those of the pool.
    pub async fn allow(&mut self, statement_timeout: Duration) -> Result<(), sqlx::Error> {
        set_statement_timeout("set local", &mut self.lease, statement_timeout).await
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.lease
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.lease
    }
}
