//! A read model: how full each show is.

use recount_projection::{ApplyError, LogBatch, Projection};
use recount_writer::Domain;
use sqlx::PgConnection;

use crate::domain::{Event, Theatre};

#[derive(Debug)]
pub struct Occupancy;

impl Projection for Occupancy {
    fn name(&self) -> &'static str {
        "theatre"
    }

    fn version(&self) -> u16 {
        1
    }

    fn tables_sql(&self) -> &'static str {
        "create table shows (
             log      bigint  not null,
             show     text    not null,
             seats    integer not null,
             reserved integer not null default 0,
             paid     integer not null default 0,
             constraint shows_pkey primary key (log, show)
         )"
    }

    fn views(&self) -> &'static [(&'static str, &'static str)] {
        &[("shows", "select log, show, seats, reserved, paid from shows")]
    }

    async fn apply(&self, connection: &mut PgConnection, batch: LogBatch<'_>) -> Result<(), ApplyError> {
        for recorded in batch.events {
            let event = Theatre::decode(&recorded.event_type, recorded.version, &recorded.data)
                .map_err(|error| ApplyError::poisoned(recorded, error))?;
            let (reserved, paid) = match &event {
                Event::Announced { .. } => (0, 0),
                Event::Reserved { .. } => (1, 0),
                Event::Paid { .. } => (-1, 1),
                Event::Lapsed { .. } => (-1, 0),
            };
            let seats = if let Event::Announced { seats, .. } = event { i32::from(seats) } else { 0 };
            sqlx::query(
                "insert into shows as s (log, show, seats) values ($1, $2, $3)
                 on conflict on constraint shows_pkey do update
                 set reserved = s.reserved + $4, paid = s.paid + $5",
            )
            .bind(batch.log.0)
            .bind(event.show().as_str())
            .bind(seats)
            .bind(reserved)
            .bind(paid)
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}
