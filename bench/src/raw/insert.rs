//! The upper limit of Postgres alone: plain inserts, with one transaction per batch.

use std::rc::Rc;

use sqlx::Connection;

use super::{Log, Rows};
use crate::load::{Step, Worker};
use crate::random::Random;

/// A client of Postgres with one connection and one log.
#[derive(Debug)]
pub(crate) struct Inserter {
    log: Log,
    batches: Rc<Vec<Rows>>,
    next: usize,
    random: Random,
}

impl Inserter {
    pub(crate) async fn open(
        database_url: &str,
        log: i64,
        batches: Rc<Vec<Rows>>,
        seed: u64,
    ) -> anyhow::Result<Inserter> {
        let log = Log::open(database_url, log).await?;
        Ok(Inserter { log, batches, next: 0, random: Random::new(seed) })
    }
}

impl Worker for Inserter {
    async fn step(&mut self) -> anyhow::Result<Step> {
        let rows = &self.batches[self.next % self.batches.len()];
        self.next += 1;
        insert(&mut self.log, rows, &mut self.random).await?;
        self.log.head += rows.commands();
        Ok(Step::Acknowledged(rows.commands().unsigned_abs()))
    }
}

async fn insert(log: &mut Log, rows: &Rows, random: &mut Random) -> Result<(), sqlx::Error> {
    let mut transaction = log.connection.begin().await?;
    sqlx::query(
        "update store.logs set head = $2, recorded_at = now(), moved_at = clock_timestamp() where log = $1",
    )
    .bind(log.key)
    .bind(log.head + rows.commands())
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "insert into store.events (log, position, id, event_type, version, tags, data, meta, recorded_at)
         select $1, $2 + e.ordinal, e.id, e.event_type, e.version, string_to_array(e.tags, e'\\n'),
                e.data::json, e.meta::json, now()
         from unnest($3::uuid[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::text[])
              with ordinality as e(id, event_type, version, tags, data, meta, ordinal)",
    )
    .bind(log.key)
    .bind(log.head)
    .bind(&rows.ids)
    .bind(&rows.types)
    .bind(&rows.versions)
    .bind(&rows.tags)
    .bind(&rows.data)
    .bind(&rows.metas)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "insert into store.event_tags (log, tag, position)
         select $1, t.tag, $2 + t.event from unnest($3::bigint[], $4::integer[]) as t(tag, event)",
    )
    .bind(log.key)
    .bind(log.head)
    .bind(rows.fresh_tag_hashes(random))
    .bind(&rows.tag_events)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "insert into store.outcomes (log, key, request, position, outcome, recorded_at)
         select $1, o.key, o.request, $2 + o.position, o.outcome, now()
         from unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[]) as o(key, request, position, outcome)",
    )
    .bind(log.key)
    .bind(log.head)
    .bind(rows.fresh_keys(random))
    .bind(&rows.requests)
    .bind(&rows.outcome_positions)
    .bind(&rows.outcomes)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
