//! A consistent view of a ledger: its position and its rows belong together.

use std::time::Duration;

use recount_service_kit::database::{Database, Transaction, WithinLease, read_again};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Freshness, ReadError};

const BEGIN: &str = "begin isolation level repeatable read read only";
/// How long taking a connection, beginning and looking up the position may take: a primary key, so milliseconds.
pub(super) const BEGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the rows of a question: a little longer than the server lets it run.
const ROWS_TIMEOUT: Duration = Duration::from_secs(32);

/// The progress of a log's read model at the moment of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProgressAt {
    pub(super) log: i64,
    pub(super) position: i64,
    /// Whether the read model has the ledger itself, and not only progress of its log.
    pub(super) known: bool,
    /// Whether the log is another one than that which the read model was made from.
    pub(super) diverged: bool,
}

/// The read models as they were at one moment. If it is dropped while a statement runs, because the request has ended or
/// its client has left, the statement ends too.
#[derive(Debug)]
pub(crate) struct Moment {
    /// Always there until it is dropped.
    transaction: Option<Transaction>,
}

impl Moment {
    /// Begins a snapshot of all ledgers.
    pub(super) async fn begin(database: &Database) -> Result<Moment, ReadError> {
        Ok(read_again(database, || database.bounded(BEGIN_TIMEOUT, Moment::try_begin(database))).await?)
    }

    async fn try_begin(database: &Database) -> Result<Moment, sqlx::Error> {
        Ok(Moment { transaction: Some(database.begin_with(BEGIN).await?) })
    }

    fn transaction(&mut self) -> &mut Transaction {
        self.transaction.as_mut().expect("only dropping it takes the transaction")
    }

    /// Executes statements in this snapshot.
    pub(crate) fn connection(&mut self) -> WithinLease<'_> {
        self.transaction().within(ROWS_TIMEOUT)
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            transaction.end_reading();
        }
    }
}

/// A ledger as it was at one position. All questions that are asked of one snapshot are answered from that moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    moment: Moment,
    progress: ProgressAt,
    freshness: Freshness,
}

impl Snapshot {
    pub(super) fn new(moment: Moment, progress: ProgressAt, freshness: Freshness) -> Snapshot {
        Snapshot { moment, progress, freshness }
    }

    /// The ledger's key in every table.
    pub(crate) fn log(&self) -> i64 {
        self.progress.log
    }

    /// The position that everything read from this snapshot reflects.
    pub(crate) fn position(&self) -> i64 {
        self.progress.position
    }

    /// The freshness that was asked for, and that this snapshot has.
    pub(crate) fn freshness(&self) -> Freshness {
        self.freshness
    }

    pub(crate) fn connection(&mut self) -> WithinLease<'_> {
        self.moment.connection()
    }

    /// Lets the rows of a statement take this long in all, because a client reads them as they come.
    pub(crate) async fn allow(&mut self, limit: Duration) -> Result<(), ReadError> {
        let transaction = self.moment.transaction();
        let allowing = tokio::time::timeout(BEGIN_TIMEOUT, transaction.allow(limit)).await;
        Ok(allowing.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }
}

/// Begins a snapshot and looks up the progress of a ledger in it; `None` if it has none yet.
///
/// Beginning again has no effects, so that callers do not notice a connection that had died.
pub(super) async fn begin_of_ledger(
    database: &Database,
    ledger: &str,
) -> Result<(Moment, Option<ProgressAt>), ReadError> {
    let begin = || database.bounded(BEGIN_TIMEOUT, try_begin_of_ledger(database, ledger));
    Ok(read_again(database, begin).await?)
}

async fn try_begin_of_ledger(
    database: &Database,
    ledger: &str,
) -> Result<(Moment, Option<ProgressAt>), sqlx::Error> {
    let mut moment = Moment::try_begin(database).await?;
    let row = sqlx::query(
        "select progress.log, progress.position, progress.diverged, ledgers.log is not null as known \
         from read.progress left join read.ledgers on ledgers.log = progress.log \
         where progress.log_name = $1",
    )
    .bind(ledger)
    .fetch_optional(moment.connection())
    .await?;
    let progress = row.map(|row| progress_at(&row)).transpose()?;
    Ok((moment, progress))
}

fn progress_at(row: &PgRow) -> Result<ProgressAt, sqlx::Error> {
    Ok(ProgressAt {
        log: row.try_get("log")?,
        position: row.try_get("position")?,
        known: row.try_get("known")?,
        diverged: row.try_get("diverged")?,
    })
}
