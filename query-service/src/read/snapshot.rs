//! A consistent view of a ledger: its position and its rows belong together.

use recount_service_kit::database;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction};

use super::{Freshness, ReadError};

const BEGIN: &str = "begin isolation level repeatable read read only";

/// The progress of a log's read model at the moment of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProgressAt {
    pub(super) log: i64,
    pub(super) position: i64,
    /// Whether the read model has the ledger itself, and not only progress of its log.
    pub(super) known: bool,
}

/// A ledger as it was at one position. All questions that are asked of one snapshot are answered from that moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    progress: ProgressAt,
    freshness: Freshness,
}

impl Snapshot {
    pub(super) fn new(
        transaction: Transaction<'static, Postgres>,
        progress: ProgressAt,
        freshness: Freshness,
    ) -> Snapshot {
        Snapshot { transaction, progress, freshness }
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

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

/// Begins a snapshot of all ledgers.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, ReadError> {
    Ok(database::read_again(pool, || pool.begin_with(BEGIN)).await?)
}

/// Begins a snapshot and looks up the progress of a ledger in it; `None` if it has none yet.
///
/// Beginning again has no effects, so that callers do not notice a connection that had died.
pub(super) async fn begin_of_ledger(
    pool: &PgPool,
    ledger: &str,
) -> Result<(Transaction<'static, Postgres>, Option<ProgressAt>), ReadError> {
    Ok(database::read_again(pool, || try_begin(pool, ledger)).await?)
}

async fn try_begin(
    pool: &PgPool,
    ledger: &str,
) -> Result<(Transaction<'static, Postgres>, Option<ProgressAt>), sqlx::Error> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    let row = sqlx::query(
        "select progress.log, progress.position, ledgers.log is not null as known \
         from read.progress left join read.ledgers on ledgers.log = progress.log \
         where progress.log_name = $1",
    )
    .bind(ledger)
    .fetch_optional(&mut *transaction)
    .await?;
    let progress = row.map(|row| progress_at(&row)).transpose()?;
    Ok((transaction, progress))
}

fn progress_at(row: &PgRow) -> Result<ProgressAt, sqlx::Error> {
    Ok(ProgressAt {
        log: row.try_get("log")?,
        position: row.try_get("position")?,
        known: row.try_get("known")?,
    })
}
