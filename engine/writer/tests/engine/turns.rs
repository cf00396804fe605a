//! Long reads yield to other tasks, so that the process keeps answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::theatre::show_tag;
use crate::world::World;
use recount_store::{PageLimit, StoreError, WantedEntity, tag_hash};

const EVENTS: i64 = 20_000;
/// The most rows that may be read without yielding. The budget of a tokio task is 128 operations.
const ROWS_PER_TURN_MAX: u64 = 256;

/// A log whose events all concern one show.
async fn long_log() -> World {
    let world = World::create().await;
    let log = world.log.clone();
    let show = show_tag("Hamlet");
    for sql in [
        "insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
         select $1, n, now(), gen_random_uuid(), 1, sha256(n::text::bytea), 'announced', $4,
                '{\"what\":\"closed\",\"show\":\"Hamlet\"}', '{}'
         from generate_series(1, $2) as n where $3 is not null",
        "insert into store.event_tags select $1, $3, 0, n from generate_series(1, $2) as n where $4 is not null",
    ] {
        let insert = sqlx::query(sql).bind(log.key().0).bind(EVENTS).bind(tag_hash(log.key(), &show)).bind(show.as_str());
        insert.execute(world.pool()).await.unwrap();
    }
    world
}

/// Counts the turns of another task on the same thread, and the rows that are read between two of them.
#[derive(Debug)]
struct Turns {
    turns: Arc<AtomicU64>,
    last_turn: u64,
    since_turn: u64,
    rows_max: u64,
}

impl Turns {
    fn watch() -> Turns {
        let turns = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&turns);
        tokio::spawn(async move {
            loop {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        Turns { turns, last_turn: 0, since_turn: 0, rows_max: 0 }
    }

    fn note(&mut self) {
        let turns = self.turns.load(Ordering::Relaxed);
        self.since_turn = if turns == self.last_turn { self.since_turn + 1 } else { 1 };
        self.last_turn = turns;
        self.rows_max = self.rows_max.max(self.since_turn);
    }
}

#[tokio::test]
async fn loading_an_entity_with_a_long_history_lets_other_tasks_run() {
    let world = long_log().await;
    let mut turns = Turns::watch();
    let show = show_tag("Hamlet");
    let tip = world.store.reader().log(world.log.key()).await.unwrap().unwrap().tip;
    let wanted = [WantedEntity { tag: &show, read: None, last_segment: None }];
    let limit = PageLimit { events_max: 100_000, stored_bytes_max: i64::MAX };
    let loaded =
        world.store.reader().load_entities::<StoreError>(world.log.key(), tip, &wanted, 1, limit, |_| {
            turns.note();
            Ok(())
        });
    assert_eq!(loaded.await.unwrap(), Some(tip.position));
    assert!(turns.rows_max <= ROWS_PER_TURN_MAX, "{} rows without yielding", turns.rows_max);
}
