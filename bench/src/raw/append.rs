//! The append as the service does it: the store's function, in one round trip.

use std::rc::Rc;

use anyhow::ensure;

use super::{Log, Rows};
use crate::load::{Step, Worker};
use crate::random::Random;

const APPEND: &str = "select store.append(
    $1, $2, $3, 0, now(), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, '{}', '{}')";

/// A frontier of the usual size, and how often one is kept.
const FRONTIER: [u8; 12 * 32] = [7; 12 * 32];
const FRONTIER_INTERVAL: i64 = 256;

/// A client of Postgres that appends as the service does.
#[derive(Debug)]
pub(crate) struct Appender {
    log: Log,
    batches: Rc<Vec<Rows>>,
    next: usize,
    random: Random,
}

impl Appender {
    pub(crate) async fn open(
        database_url: &str,
        log: i64,
        batches: Rc<Vec<Rows>>,
        seed: u64,
    ) -> anyhow::Result<Appender> {
        let log = Log::open(database_url, log).await?;
        Ok(Appender { log, batches, next: 0, random: Random::new(seed) })
    }
}

impl Worker for Appender {
    async fn step(&mut self) -> anyhow::Result<Step> {
        let rows = &self.batches[self.next % self.batches.len()];
        self.next += 1;
        let Log { head, ref hash, .. } = self.log;
        let end = head + rows.commands();
        let frontier = (head / FRONTIER_INTERVAL < end / FRONTIER_INTERVAL).then_some(&FRONTIER[..]);
        let hashes = rows.fresh_hashes(&mut self.random);
        let appended: bool = sqlx::query_scalar(APPEND)
            .bind(self.log.key)
            .bind(head)
            .bind(hash)
            .bind(frontier)
            .bind(&rows.ids)
            .bind(&rows.types)
            .bind(&rows.versions)
            .bind(&rows.tags)
            .bind(&rows.data)
            .bind(&rows.metas)
            .bind(&hashes)
            .bind(rows.fresh_tag_hashes(&mut self.random))
            .bind(&rows.tag_events)
            .bind(rows.fresh_keys(&mut self.random))
            .bind(&rows.requests)
            .bind(&rows.outcome_events)
            .bind(&rows.outcomes)
            .fetch_one(&mut self.log.connection)
            .await?;
        ensure!(appended, "the tip has moved");
        self.log.advance(hashes);
        Ok(Step::Acknowledged(rows.commands().unsigned_abs()))
    }
}
