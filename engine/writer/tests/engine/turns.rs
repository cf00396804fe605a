//! Long reads yield to other tasks, so that the process keeps answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::theatre::show_tag;
use crate::world::World;
use recount_store::{LogReader, StoreError, tag_hash};
use sqlx::postgres::PgPoolOptions;

const EVENTS: i64 = 20_000;
/// The most rows that may be read without yielding. The budget of a tokio task is 128 operations.
const ROWS_PER_TURN_MAX: u64 = 256;

/// A log whose events all concern one show, and as many outcomes.
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
        "insert into store.outcomes (log, key, request, position, recorded_at, hash, outcome)
         select $1, md5(n::text)::uuid, gen_random_uuid(), n, now(), sha256(n::text::bytea), '{}'
         from generate_series(1, $2) as n
         where $3 is not null and $4 is not null",
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
async fn reading_a_history_lets_other_tasks_run() {
    let world = long_log().await;
    let mut turns = Turns::watch();
    let mut rows = 0;
    let whole = world.store.reader().visit_seen(world.log.key(), |_| {
        rows += 1;
        turns.note();
        true
    });
    assert!(whole.await.unwrap());
    assert_eq!(rows, 2 * EVENTS);
    assert!(turns.rows_max <= ROWS_PER_TURN_MAX, "{} rows without yielding", turns.rows_max);
}

#[tokio::test]
async fn loading_an_entity_with_a_long_history_lets_other_tasks_run() {
    let world = long_log().await;
    let mut turns = Turns::watch();
    let show = [show_tag("Hamlet")];
    let tip = world.store.reader().log(world.log.key()).await.unwrap().unwrap().tip;
    let loaded = world.store.reader().load_entities::<StoreError>(world.log.key(), tip, &show, 1, |_| {
        turns.note();
        Ok(())
    });
    loaded.await.unwrap();
    assert!(turns.rows_max <= ROWS_PER_TURN_MAX, "{} rows without yielding", turns.rows_max);
}

#[tokio::test]
async fn reading_a_history_can_stop_before_its_end() {
    let world = long_log().await;
    let one = PgPoolOptions::new().max_connections(1).connect(world.database.url()).await.unwrap();
    let backend =
        async || -> i32 { sqlx::query_scalar("select pg_backend_pid()").fetch_one(&one).await.unwrap() };
    let before = backend().await;
    let mut rows = 0;
    let store = LogReader::new(one.clone());
    let whole = store.visit_seen(world.log.key(), |_| {
        rows += 1;
        rows < 10
    });
    assert!(!whole.await.unwrap());
    assert_eq!(rows, 10);
    // The connection would have to read the rest before anybody else could use it.
    assert_ne!(backend().await, before);
}
