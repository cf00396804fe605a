//! The table `assets`: the assets that each ledger has registered.

use recount_core::{LogKey, Position};
use recount_events::ledger::AssetRegistered;
use sqlx::PgConnection;

use super::rows::{EventStamp, column};

/// The assets that a batch registers.
#[derive(Debug, Default)]
pub(super) struct Assets(Vec<(Position, AssetRegistered)>);

impl Assets {
    pub(super) fn register(&mut self, at: EventStamp, event: AssetRegistered) {
        self.0.push((at.position, event));
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let rows = &self.0;
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into assets (log, code, asset, scale, registered_position)
             select $1, * from unnest($2::text[], $3::text[], $4::integer[], $5::bigint[])",
        )
        .bind(log.0)
        .bind(column(rows, |(_, event)| event.asset.code()))
        .bind(column(rows, |(_, event)| event.asset.as_str()))
        .bind(column(rows, |(_, event)| i32::from(event.asset.scale())))
        .bind(column(rows, |(position, _)| position.0))
        .execute(connection)
        .await?;
        Ok(())
    }
}
