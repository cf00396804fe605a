//! One consistent view of a ledger: its position and its rows belong together.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use recount_service_kit::database;
use recount_service_kit::problem::{Problem, kinds};
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction};

use super::POSITION;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const BEGIN: &str = "begin isolation level repeatable read read only";

/// Where the read model of a ledger is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) log: i64,
    pub(crate) position: i64,
    /// Whether the ledger is known, and not only its log.
    pub(crate) known: bool,
}

/// A ledger as it was at one position.
#[derive(Debug)]
pub(crate) struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    place: Place,
    waited_seconds: Option<u64>,
}

impl Snapshot {
    pub(super) fn new(
        transaction: Transaction<'static, Postgres>,
        place: Place,
        waited_seconds: Option<u64>,
    ) -> Snapshot {
        Snapshot { transaction, place, waited_seconds }
    }

    /// The ledger's key in every table.
    pub(crate) fn log(&self) -> i64 {
        self.place.log
    }

    pub(crate) fn position(&self) -> i64 {
        self.place.position
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// The answer that was read from this snapshot, or the problem: both are true of its position, and say so.
    pub(crate) fn answer<T: IntoResponse>(&self, answer: Result<T, Problem>) -> Response {
        self.stamp().on(answer.into_response())
    }

    /// What an answer says about the snapshot that it was read from.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { position: self.place.position, waited_seconds: self.waited_seconds }
    }
}

/// What an answer says about the snapshot that it was read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    position: i64,
    waited_seconds: Option<u64>,
}

impl Stamp {
    pub(crate) fn on(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(POSITION, HeaderValue::from(self.position));
        if let Some(seconds) = self.waited_seconds {
            let applied = HeaderValue::try_from(format!("wait={seconds}")).expect("digits are visible");
            headers.insert(PREFERENCE_APPLIED, applied);
        }
        response
    }
}

/// Begins a snapshot; with a ledger's name, finds out where that ledger is. To begin again changes nothing, so that
/// the caller need not notice a connection that had died.
pub(super) async fn begin(
    pool: &PgPool,
    ledger: Option<&str>,
) -> Result<(Transaction<'static, Postgres>, Option<Place>), Problem> {
    database::read_again(pool, || try_begin(pool, ledger)).await.map_err(|error| failed(&error))
}

async fn try_begin(
    pool: &PgPool,
    ledger: Option<&str>,
) -> Result<(Transaction<'static, Postgres>, Option<Place>), sqlx::Error> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    let Some(ledger) = ledger else {
        return Ok((transaction, None));
    };
    let row = sqlx::query(
        "select progress.log, progress.position, ledgers.log is not null as known \
         from read.progress left join read.ledgers on ledgers.log = progress.log \
         where progress.log_name = $1",
    )
    .bind(ledger)
    .fetch_optional(&mut *transaction)
    .await?;
    let place = row.map(|row| place_of(&row)).transpose()?;
    Ok((transaction, place))
}

fn place_of(row: &sqlx::postgres::PgRow) -> Result<Place, sqlx::Error> {
    Ok(Place { log: row.try_get("log")?, position: row.try_get("position")?, known: row.try_get("known")? })
}

/// The problem of a read that failed. Until the projector has made the read models there is nothing to read.
pub(crate) fn failed(error: &sqlx::Error) -> Problem {
    const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    if is_undefined_table(error) {
        return Problem::new(&kinds::STORE_UNAVAILABLE, "The read models are not there yet.")
            .caused_by(error);
    }
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some(CHARACTER_NOT_IN_REPERTOIRE) => Problem::new(
            &kinds::INVALID_REQUEST,
            "The path or a parameter holds a zero byte, which no name has.",
        ),
        _ => Problem::of_database(error),
    }
}

pub(super) fn is_undefined_table(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("42P01")
}
