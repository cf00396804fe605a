//! Whoever reads much lets the others have their turn: the process answers meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::theatre::show_tag;
use crate::world::World;
use recount_store::{LogReader, StoreError, tag_hash};
use sqlx::postgres::PgPoolOptions;

const EVENTS: i64 = 20_000;
/// Rows that may be read in one go, at most; tokio lets a task do 128 things before the others have their turn.
const ROWS_IN_A_GO: u64 = 256;

/// A log whose events all concern one show, and as many outcomes.
async fn long_log() -> World {
    let world = World::create().await;
    let log = world.log.clone();
    let show = show_tag("Hamlet");
    for sql in [
        "insert into store.events
         select $1, n, gen_random_uuid(), 'announced', 1, array[$4], '{\"what\":\"closed\",\"show\":\"Hamlet\"}', '{}', now()
         from generate_series(1, $2) as n where $3 is not null",
        "insert into store.event_tags select $1, $3, n from generate_series(1, $2) as n where $4 is not null",
        "insert into store.outcomes
         select $1, md5(n::text)::uuid, gen_random_uuid(), n, '{}', now() from generate_series(1, $2) as n
         where $3 is not null and $4 is not null",
    ] {
        let insert = sqlx::query(sql).bind(log.key().0).bind(EVENTS).bind(tag_hash(log.key(), &show)).bind(show.as_str());
        insert.execute(world.pool()).await.unwrap();
    }
    world
}

/// Counts the turns that another task of the same thread has, and what is done between two of them.
#[derive(Debug)]
struct Turns {
    had: Arc<AtomicU64>,
    at: u64,
    in_a_go: u64,
    most: u64,
}

impl Turns {
    fn watch() -> Turns {
        let had = Arc::new(AtomicU64::new(0));
        let turns = Arc::clone(&had);
        tokio::spawn(async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        Turns { had, at: 0, in_a_go: 0, most: 0 }
    }

    fn note(&mut self) {
        let had = self.had.load(Ordering::Relaxed);
        self.in_a_go = if had == self.at { self.in_a_go + 1 } else { 1 };
        self.at = had;
        self.most = self.most.max(self.in_a_go);
    }
}

#[tokio::test]
async fn while_a_history_is_read_others_have_their_turn() {
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
    assert!(turns.most <= ROWS_IN_A_GO, "{} rows in one go", turns.most);
}

#[tokio::test]
async fn while_an_entity_with_a_long_history_is_loaded_others_have_their_turn() {
    let world = long_log().await;
    let mut turns = Turns::watch();
    let show = [show_tag("Hamlet")];
    let loaded = world.store.reader().load_entities::<StoreError>(world.log.key(), &show, 1, |_| {
        turns.note();
        Ok(())
    });
    loaded.await.unwrap();
    assert!(turns.most <= ROWS_IN_A_GO, "{} rows in one go", turns.most);
}

#[tokio::test]
async fn a_history_that_nobody_wants_any_more_is_not_read_to_its_end() {
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
