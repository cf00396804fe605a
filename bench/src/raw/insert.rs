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
        let hashes = insert(&mut self.log, rows, &mut self.random).await?;
        self.log.advance(hashes);
        Ok(Step::Acknowledged(rows.commands().unsigned_abs()))
    }
}

/// Inserts the rows. Returns the hashes of the events.
async fn insert(log: &mut Log, rows: &Rows, random: &mut Random) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    let hashes = rows.fresh_hashes(random);
    let mut transaction = log.connection.begin().await?;
    sqlx::query("select from store.logs where log = $1 for no key update")
        .bind(log.key)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
         select $1, $2 + e.ordinal, now(), e.id, e.version, e.hash, e.event_type, e.tags, e.data::json, e.meta::json
         from unnest($3::uuid[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::text[], $9::bytea[])
              with ordinality as e(id, event_type, version, tags, data, meta, hash, ordinal)",
    )
    .bind(log.key)
    .bind(log.head)
    .bind(&rows.ids)
    .bind(&rows.types)
    .bind(&rows.versions)
    .bind(&rows.tags)
    .bind(&rows.data)
    .bind(&rows.metas)
    .bind(&hashes)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "insert into store.event_tags (log, tag, segment, slot)
         select $1, t.tag, (($2 + t.event) >> 22)::integer, (($2 + t.event) & 4194303)::integer
         from unnest($3::bigint[], $4::integer[]) as t(tag, event)",
    )
    .bind(log.key)
    .bind(log.head)
    .bind(rows.fresh_tag_hashes(random))
    .bind(&rows.tag_events)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "insert into store.outcomes (log, key, request, position, recorded_at, hash, outcome)
         select $1, o.key, o.request, $2 + o.event, now(), '', o.outcome
         from unnest($3::uuid[], $4::uuid[], $5::integer[], $6::text[]) as o(key, request, event, outcome)",
    )
    .bind(log.key)
    .bind(log.head)
    .bind(rows.fresh_keys(random))
    .bind(&rows.requests)
    .bind(&rows.outcome_events)
    .bind(&rows.outcomes)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("insert into store.news (log, position, hash) values ($1, $2, '')")
        .bind(log.key)
        .bind(log.head + rows.commands())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(hashes)
}
