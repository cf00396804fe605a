//! Time limits on statements.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use sqlx::postgres::{PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Error, Execute, Executor, Postgres, SqlStr};
use tokio::time::{Instant, timeout, timeout_at};

use crate::database::Database;
use crate::error::{NotConnected, TimeLimit, keeps_connection};
use crate::lease::Lease;

/// Executes one statement on a connection of its own, within a time limit.
#[derive(Clone, Copy, Debug)]
pub struct Within<'d> {
    pub(crate) database: &'d Database,
    pub(crate) limit: Duration,
}

impl Within<'_> {
    /// A connection, and until when the work on it may last.
    async fn begin(self) -> Result<(Lease, Instant), Error> {
        let end = Instant::now() + self.limit;
        let lease = timeout_at(end, self.database.lease()).await;
        // Nothing was sent, and the caller may rely on that.
        let lease = lease.unwrap_or_else(|_| Err(NotConnected::wrap(Error::PoolTimedOut)))?;
        Ok((lease, end))
    }

    /// Gives the connection back, if the work has ended and left it in order.
    fn end<T>(
        self,
        lease: Lease,
        outcome: Result<Result<T, Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, Error> {
        let Ok(outcome) = outcome else {
            drop(lease);
            self.database.close_idle();
            return Err(TimeLimit::error(self.limit));
        };
        if outcome.as_ref().err().is_none_or(keeps_connection) {
            lease.give_back();
        }
        outcome
    }
}

impl<'c> Executor<'c> for Within<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let gathered = async move {
            let (mut lease, end) = self.begin().await?;
            let gathering = connection(&mut lease).fetch_many(query).try_collect::<Vec<_>>();
            let outcome = timeout_at(end, gathering).await;
            let items = self.end(lease, outcome)?;
            Ok::<_, Error>(stream::iter(items).map(Ok))
        };
        stream::once(gathered).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let (mut lease, end) = self.begin().await?;
            let outcome = timeout_at(end, connection(&mut lease).fetch_optional(query)).await;
            self.end(lease, outcome)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (mut lease, end) = self.begin().await?;
            let outcome = timeout_at(end, connection(&mut lease).prepare_with(sql, parameters)).await;
            self.end(lease, outcome)
        })
    }
}

/// Executes one statement on a connection that is in use already, within a time limit. Rows are seen as they come. Each
/// wait for the server has the limit; how long the caller takes with a row does not count.
#[derive(Debug)]
pub struct WithinLease<'l> {
    pub(crate) database: &'l Database,
    pub(crate) connection: &'l mut PgConnection,
    pub(crate) busy: &'l mut bool,
    pub(crate) limit: Duration,
}

/// Waits for a server within a limit. After it, idle connections to the server are not trusted either.
async fn wait<T>(
    database: &Database,
    limit: Duration,
    busy: &mut bool,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    *busy = true;
    let Ok(outcome) = timeout(limit, work).await else {
        database.close_idle();
        return Err(TimeLimit::error(limit));
    };
    *busy = !outcome.as_ref().err().is_none_or(keeps_connection);
    outcome
}

impl<'c> Executor<'c> for WithinLease<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let WithinLease { database, connection, busy, limit } = self;
        let rows = connection.fetch_many(query);
        stream::try_unfold((rows, busy), move |(mut rows, busy)| async move {
            let next = wait(database, limit, busy, rows.try_next()).await?;
            // Until the end has been seen, the server goes on sending.
            *busy = next.is_some();
            Ok(next.map(|next| (next, (rows, busy))))
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let WithinLease { database, connection, busy, limit } = self;
        Box::pin(wait(database, limit, busy, connection.fetch_optional(query)))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        let WithinLease { database, connection, busy, limit } = self;
        Box::pin(wait(database, limit, busy, connection.prepare_with(sql, parameters)))
    }
}

fn connection(lease: &mut Lease) -> &mut PgConnection {
    lease
}
