//! The handle of a database: taking connections.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connect::{self, ConnectError, Settings};
use crate::error::{NotConnected, TimeLimit};
use crate::lease::{Lease, Transaction};
use crate::limits::ACQUIRE_TIMEOUT;
use crate::within::Within;

/// A pool of connections to one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    /// One for each connection that the server may have to keep for this pool, those of clients that have left included.
    places: Arc<Semaphore>,
}

impl Database {
    /// Connects, waiting for a database that is still starting, and checks that it keeps what Recount relies on.
    pub async fn connect(url: &str, settings: &Settings<'_>) -> Result<Database, ConnectError> {
        connect::connect(url, settings).await
    }

    /// Takes a connection, within [`ACQUIRE_TIMEOUT`].
    pub async fn lease(&self) -> Result<Lease, sqlx::Error> {
        self.lease_within(ACQUIRE_TIMEOUT).await
    }

    /// Takes a connection, within this time.
    pub async fn lease_within(&self, limit: Duration) -> Result<Lease, sqlx::Error> {
        let taking = async {
            let place =
                Arc::clone(&self.places).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
            Ok::<_, sqlx::Error>(Lease::new(self.clone(), self.pool.acquire().await?, place))
        };
        match timeout(limit, taking).await {
            Ok(taken) => taken.map_err(NotConnected::wrap),
            Err(_) => Err(NotConnected::wrap(sqlx::Error::PoolTimedOut)),
        }
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(self.lease().await?, "begin").await
    }

    /// Begins a transaction with this statement.
    pub async fn begin_with(&self, statement: &'static str) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(self.lease().await?, statement).await
    }

    /// Bounds work on this database as a whole. The leases and transactions of the work are dropped when the limit elapses,
    /// which closes their connections.
    pub async fn bounded<T, E: From<sqlx::Error>>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.close_idle();
                Err(TimeLimit::error(limit).into())
            }
        }
    }

    /// Executes one statement, from taking a connection to the last row, within this time. The rows are gathered before
    /// the first one is seen; to see them as they come, take a [`Lease`].
    pub fn within(&self, limit: Duration) -> Within<'_> {
        Within { database: self, limit }
    }

    /// Closes the idle connections: the server did not answer on one, so it may be gone for all of them. Otherwise each
    /// of them would cost a caller its time limit.
    pub(crate) fn close_idle(&self) {
        while let Some(idle) = self.pool.try_acquire() {
            drop(idle.detach());
        }
    }

    pub fn connections_max(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    /// The pool behind this. For what must not go through the door: nothing but the libraries that take only a pool.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes the connections, and gives the ones in use this long.
    pub async fn close(&self, limit: Duration) {
        let _ = timeout(limit, self.pool.close()).await;
    }
}

impl From<PgPool> for Database {
    fn from(pool: PgPool) -> Database {
        let places = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        Database { pool, places }
    }
}

impl From<&PgPool> for Database {
    fn from(pool: &PgPool) -> Database {
        Database::from(pool.clone())
    }
}

impl From<&Database> for Database {
    fn from(database: &Database) -> Database {
        database.clone()
    }
}
