//! The rows of batches as the service wrote them.

use sqlx::PgPool;
use uuid::Uuid;

use crate::random::Random;

/// The rows of one batch, as arrays. Positions are relative to the first event of the batch.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(super) ids: Vec<Uuid>,
    pub(super) types: Vec<String>,
    pub(super) versions: Vec<i16>,
    /// The tags of each event as lines.
    pub(super) tags: Vec<String>,
    pub(super) data: Vec<String>,
    pub(super) metas: Vec<String>,
    pub(super) tag_hashes: Vec<i64>,
    /// For each hash, the index of its event, from 1.
    pub(super) tag_events: Vec<i32>,
    pub(super) requests: Vec<Uuid>,
    /// For each outcome, the index of its event, from 1.
    pub(super) outcome_events: Vec<i32>,
    pub(super) outcomes: Vec<String>,
}

impl Rows {
    pub(super) fn commands(&self) -> i64 {
        i64::try_from(self.ids.len()).expect("a batch is small")
    }

    /// Hashes that are as scattered as those of the tags, and different each time.
    pub(super) fn fresh_tag_hashes(&self, random: &mut Random) -> Vec<i64> {
        let salt = random.next().cast_signed();
        self.tag_hashes.iter().map(|hash| hash ^ salt).collect()
    }

    pub(super) fn fresh_hashes(&self, random: &mut Random) -> Vec<Vec<u8>> {
        let hash = |_: &Uuid| [random.uuid().into_bytes(), random.uuid().into_bytes()].concat();
        self.ids.iter().map(hash).collect()
    }

    pub(super) fn fresh_keys(&self, random: &mut Random) -> Vec<Uuid> {
        self.requests.iter().map(|_| random.uuid()).collect()
    }
}

/// Reads the events after a position of a log, in batches of this number of events.
pub(crate) async fn capture(
    pool: &PgPool,
    log: i64,
    after: i64,
    batch_events: usize,
    batches: usize,
) -> anyhow::Result<Vec<Rows>> {
    let mut captured = Vec::with_capacity(batches);
    let size = i64::try_from(batch_events)?;
    for batch in 0..i64::try_from(batches)? {
        captured.push(capture_one(pool, log, after + batch * size, size).await?);
    }
    Ok(captured)
}

async fn capture_one(pool: &PgPool, log: i64, after: i64, events: i64) -> anyhow::Result<Rows> {
    let mut rows = Rows::default();
    let found: Vec<(Uuid, String, i16, String, String, String)> = sqlx::query_as(
        "select id, event_type, version, tags, data::text, meta::text
         from store.events where log = $1 and position > $2 and position <= $2 + $3 order by position",
    )
    .bind(log)
    .bind(after)
    .bind(events)
    .fetch_all(pool)
    .await?;
    for (id, event_type, version, tags, data, meta) in found {
        rows.ids.push(id);
        rows.types.push(event_type);
        rows.versions.push(version);
        rows.tags.push(tags);
        rows.data.push(data);
        rows.metas.push(meta);
    }
    let found: Vec<(i64, i32)> = sqlx::query_as(
        "select t.tag, (store.position(t.segment, t.slot) - $2)::integer from store.event_tags t
         where t.log = $1 and store.position(t.segment, t.slot) > $2 and store.position(t.segment, t.slot) <= $2 + $3
         order by 2",
    )
    .bind(log)
    .bind(after)
    .bind(events)
    .fetch_all(pool)
    .await?;
    (rows.tag_hashes, rows.tag_events) = found.into_iter().unzip();
    let found: Vec<(Uuid, i32, String)> = sqlx::query_as(
        "select request, (position - $2)::integer, outcome from store.outcomes
         where log = $1 and position > $2 and position <= $2 + $3 order by position",
    )
    .bind(log)
    .bind(after)
    .bind(events)
    .fetch_all(pool)
    .await?;
    for (request, event, outcome) in found {
        rows.requests.push(request);
        rows.outcome_events.push(event);
        rows.outcomes.push(outcome);
    }
    anyhow::ensure!(rows.commands() == events, "the batch to insert again is not in the log");
    anyhow::ensure!(
        !rows.tag_hashes.is_empty() && !rows.outcomes.is_empty(),
        "its tags or outcomes are not in the log"
    );
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_inserted_again_get_other_hashes_and_keys() {
        let rows = Rows { tag_hashes: vec![1, 2], requests: vec![Uuid::nil(); 3], ..Rows::default() };
        let mut random = Random::new(1);
        let hashes = rows.fresh_tag_hashes(&mut random);
        assert_eq!(hashes[0] ^ hashes[1], 1 ^ 2);
        assert_ne!(rows.fresh_tag_hashes(&mut random), hashes);
        let mut keys = rows.fresh_keys(&mut random);
        keys.dedup();
        assert_eq!(keys.len(), 3);
    }
}
