//! Two ways to append a batch in one round trip: the store's function, and one statement of modifying CTEs.

use std::rc::Rc;

use anyhow::ensure;

use super::{Log, Rows};
use crate::load::{Step, Worker};
use crate::random::Random;

const FUNCTION: &str =
    "select store.append($1, $2, $3, now(), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

/// The same as the function, with the same parameters.
const CTE: &str = "
    with moved as (
        update store.logs
        set head = $2 + cardinality($4::uuid[]), recorded_at = now(), moved_at = clock_timestamp()
        where log = $1 and head = $2 and fence = $3
        returning log
    ), events as (
        insert into store.events (log, position, id, event_type, version, tags, data, meta, recorded_at)
        select $1, $2 + e.ordinal, e.id, e.event_type, e.version, string_to_array(e.tags, e'\\n'),
               e.data::json, e.meta::json, now()
        from moved, unnest($4::uuid[], $5::text[], $6::smallint[], $7::text[], $8::text[], $9::text[])
             with ordinality as e(id, event_type, version, tags, data, meta, ordinal)
    ), tags as (
        insert into store.event_tags (log, tag, position)
        select $1, t.tag, $2 + t.event
        from moved, unnest($10::bigint[], $11::integer[]) as t(tag, event)
    ), outcomes as (
        insert into store.outcomes (log, key, request, position, outcome, recorded_at)
        select $1, o.key, o.request, o.position, o.outcome, now()
        from moved, unnest($12::uuid[], $13::uuid[], $14::bigint[], $15::text[])
             as o(key, request, position, outcome)
    )
    select exists (select from moved)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Function,
    Cte,
}

/// A client of Postgres that appends as the service does.
#[derive(Debug)]
pub(crate) struct Appender {
    log: Log,
    way: Way,
    batches: Rc<Vec<Rows>>,
    next: usize,
    random: Random,
}

impl Appender {
    pub(crate) async fn open(
        database_url: &str,
        log: i64,
        way: Way,
        batches: Rc<Vec<Rows>>,
        seed: u64,
    ) -> anyhow::Result<Appender> {
        let log = Log::open(database_url, log).await?;
        Ok(Appender { log, way, batches, next: 0, random: Random::new(seed) })
    }
}

impl Worker for Appender {
    async fn step(&mut self) -> anyhow::Result<Step> {
        let rows = &self.batches[self.next % self.batches.len()];
        self.next += 1;
        let head = self.log.head;
        let positions: Vec<i64> = rows.outcome_positions.iter().map(|position| head + position).collect();
        let statement = match self.way {
            Way::Function => FUNCTION,
            Way::Cte => CTE,
        };
        let appended: bool = sqlx::query_scalar(statement)
            .bind(self.log.key)
            .bind(head)
            .bind(0_i64)
            .bind(&rows.ids)
            .bind(&rows.types)
            .bind(&rows.versions)
            .bind(&rows.tags)
            .bind(&rows.data)
            .bind(&rows.metas)
            .bind(rows.fresh_tag_hashes(&mut self.random))
            .bind(&rows.tag_events)
            .bind(rows.fresh_keys(&mut self.random))
            .bind(&rows.requests)
            .bind(positions)
            .bind(&rows.outcomes)
            .fetch_one(&mut self.log.connection)
            .await?;
        ensure!(appended, "the head has moved");
        self.log.head += rows.commands();
        Ok(Step::Acknowledged(rows.commands().unsigned_abs()))
    }
}
