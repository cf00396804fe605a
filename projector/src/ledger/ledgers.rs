//! The table `ledgers`: one row for the book itself.

use chrono::{DateTime, TimeDelta, Utc};
use recount_core::{LogKey, Position};
use recount_events::ledger::{ChartRule, EffectiveWindow, LedgerCreated};
use sqlx::PgConnection;

use super::contradiction;
use super::rows::{At, Span, json, storable};
use recount_projection::ApplyError;

/// What a batch does to the ledger itself.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    created: Option<(At, LedgerCreated)>,
    /// An event that creates the ledger, though an earlier one of the batch takes it for created.
    created_again: Option<Position>,
    window: Option<EffectiveWindow>,
    closed_through: Option<DateTime<Utc>>,
    /// The chart as it then is, if it was set or removed.
    chart: Option<Option<Vec<ChartRule>>>,
    /// The events about the ledger, if there are any.
    span: Option<Span>,
}

impl Ledger {
    pub(super) fn create(&mut self, at: At, event: LedgerCreated) -> Result<(), ApplyError> {
        match (self.span, &self.created) {
            (None, _) => {
                self.touch(at.position);
                self.created = Some((at, event));
            }
            (Some(_), Some(_)) => return Err(created_before(at.position)),
            // Whether this event is to blame or the one before it is known once the ledger was looked up.
            (Some(_), None) => self.created_again = self.created_again.or(Some(at.position)),
        }
        Ok(())
    }

    pub(super) fn set_window(&mut self, at: At, window: EffectiveWindow) {
        self.touch(at.position);
        self.window = Some(window);
    }

    pub(super) fn close_through(&mut self, at: At, through: DateTime<Utc>) {
        self.touch(at.position);
        self.closed_through = Some(through);
    }

    /// What is before this moment stays closed: all that was recorded, in microseconds.
    pub(super) fn reopen_from(&mut self, at: At, from: DateTime<Utc>) {
        let just_before = from.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(from);
        self.close_through(at, just_before);
    }

    pub(super) fn set_chart(&mut self, at: At, rules: Option<Vec<ChartRule>>) {
        self.touch(at.position);
        self.chart = Some(rules);
    }

    fn touch(&mut self, position: Position) {
        self.span.get_or_insert(Span::at(position)).last = position;
    }

    /// Makes sure that there is a ledger to change.
    pub(super) async fn settle(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), ApplyError> {
        let (None, Some(span)) = (&self.created, self.span) else { return Ok(()) };
        let there: bool = sqlx::query_scalar("select exists (select from ledgers where log = $1)")
            .bind(log.0)
            .fetch_one(connection)
            .await?;
        match self.created_again {
            _ if !there => Err(contradiction(span.first, "the ledger was never created")),
            Some(position) => Err(created_before(position)),
            None => Ok(()),
        }
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let Some(span) = self.span else { return Ok(()) };
        if let Some((at, event)) = &self.created {
            insert(connection, log, *at, event).await?;
        }
        if self.created.as_ref().is_none_or(|(at, _)| at.position < span.last) {
            self.update(connection, log, span.last).await?;
        }
        Ok(())
    }

    async fn update(
        &self,
        connection: &mut PgConnection,
        log: LogKey,
        position: Position,
    ) -> Result<(), sqlx::Error> {
        let days = |days: fn(EffectiveWindow) -> Option<u32>| self.window.and_then(days).map(i64::from);
        sqlx::query(
            "update ledgers
             set window_past_days = case when $2 then $3 else window_past_days end,
                 window_future_days = case when $2 then $4 else window_future_days end,
                 closed_through = coalesce($5, closed_through),
                 chart = case when $6 then $7::json else chart end,
                 changed_position = $8
             where log = $1",
        )
        .bind(log.0)
        .bind(self.window.is_some())
        .bind(days(|window| window.past_days))
        .bind(days(|window| window.future_days))
        .bind(self.closed_through.map(storable))
        .bind(self.chart.is_some())
        .bind(self.chart.as_ref().and_then(Option::as_ref).map(json))
        .bind(position.0)
        .execute(connection)
        .await?;
        Ok(())
    }
}

fn created_before(position: Position) -> ApplyError {
    contradiction(position, "the ledger was created before")
}

async fn insert(
    connection: &mut PgConnection,
    log: LogKey,
    at: At,
    event: &LedgerCreated,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into ledgers (log, ledger, created_position, created_at, changed_position)
         values ($1, $2, $3, $4, $3)",
    )
    .bind(log.0)
    .bind(&event.ledger)
    .bind(at.position.0)
    .bind(at.recorded_at)
    .execute(connection)
    .await?;
    Ok(())
}
