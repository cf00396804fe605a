//! The table `ledgers`: the settings of the ledger itself, one row per log.

use chrono::{DateTime, TimeDelta, Utc};
use recount_core::{LogKey, Position};
use recount_events::ledger::{ChartRule, EffectiveWindow, LedgerCreated};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::rows::{EventStamp, Span, contradiction, json, storable_time};

/// The changes of the ledger's own row by a batch.
#[derive(Debug, Default)]
pub(super) struct LedgerChange {
    created: Option<(EventStamp, LedgerCreated)>,
    /// The first event that creates the ledger after an event of this batch that requires it to exist.
    created_again: Option<Position>,
    window: Option<EffectiveWindow>,
    closed_through: Option<DateTime<Utc>>,
    /// The chart after the batch, if the batch sets or removes it.
    chart: Option<Option<Vec<ChartRule>>>,
    /// The events about the ledger itself; `None` if there are none.
    span: Option<Span>,
}

impl LedgerChange {
    pub(super) fn create(&mut self, at: EventStamp, event: LedgerCreated) -> Result<(), ApplyError> {
        match (self.span, &self.created) {
            (None, _) => {
                self.touch(at.position);
                self.created = Some((at, event));
            }
            (Some(_), Some(_)) => return Err(already_created(at.position)),
            // If an earlier batch created the ledger, this event is the contradiction; otherwise the one before it is.
            // That is known once the stored row was looked up.
            (Some(_), None) => self.created_again = self.created_again.or(Some(at.position)),
        }
        Ok(())
    }

    pub(super) fn set_window(&mut self, at: EventStamp, window: EffectiveWindow) {
        self.touch(at.position);
        self.window = Some(window);
    }

    pub(super) fn close_through(&mut self, at: EventStamp, through: DateTime<Utc>) {
        self.touch(at.position);
        self.closed_through = Some(through);
    }

    /// The period up to the last microsecond before this moment stays closed; microseconds are the precision of times.
    pub(super) fn reopen_from(&mut self, at: EventStamp, from: DateTime<Utc>) {
        let just_before = from.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(from);
        self.close_through(at, just_before);
    }

    pub(super) fn set_chart(&mut self, at: EventStamp, rules: Option<Vec<ChartRule>>) {
        self.touch(at.position);
        self.chart = Some(rules);
    }

    pub(super) fn touch(&mut self, position: Position) {
        self.span.get_or_insert(Span::at(position)).last = position;
    }

    /// Checks that the ledger was created, unless this batch creates it.
    pub(super) async fn check_created(
        &self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), ApplyError> {
        let (None, Some(span)) = (&self.created, self.span) else { return Ok(()) };
        let exists: bool = sqlx::query_scalar("select exists (select from ledgers where log = $1)")
            .bind(log.0)
            .fetch_one(connection)
            .await?;
        match self.created_again {
            _ if !exists => Err(contradiction(span.first, "the ledger was never created")),
            Some(position) => Err(already_created(position)),
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
        .bind(self.closed_through.map(storable_time))
        .bind(self.chart.is_some())
        .bind(self.chart.as_ref().and_then(Option::as_ref).map(json))
        .bind(position.0)
        .execute(connection)
        .await?;
        Ok(())
    }
}

fn already_created(position: Position) -> ApplyError {
    contradiction(position, "the ledger was already created")
}

async fn insert(
    connection: &mut PgConnection,
    log: LogKey,
    at: EventStamp,
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
