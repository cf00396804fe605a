//! Entities with long histories of large events: loading them goes on where it was, and they need not be loaded again.

use std::time::Duration;

use crate::theatre::{Command, Theatre, guest_tag, show_tag};
use crate::world::{World, submission, summary, tuning};
use crate::{announce, reserve};
use recount_core::{Position, Tag};
use recount_store::{EntityRow, PageLimit, StoreError, WantedEntity, tag_hash};
use recount_test_support::eventually;
use recount_writer::{CommandEngine, Tuning};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Appends large events, of which each concerns this entity. They are stored as large as they are.
async fn large_events(world: &World, tag: &Tag, event_type: &str, data: &str, count: i64, bytes: i32) {
    let log = world.log.key();
    sqlx::raw_sql("alter table store.events alter column data set storage external")
        .execute(world.pool())
        .await
        .unwrap();
    let first = world.events().await.len() as i64 + 1;
    let padded = data.replace('}', r#","pad":"PAD"}"#);
    for sql in [
        "insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
         select $1, n, now(), gen_random_uuid(), 1, sha256(n::text::bytea), $5, $6,
                replace($7, 'PAD', repeat('x', $4))::json, '{}'
         from generate_series($2, $3) as n where $8 is not null",
        "insert into store.event_tags select $1, $8, 0, n from generate_series($2, $3) as n
         where $4 + length($5) + length($6) + length($7) > 0",
    ] {
        sqlx::query(sql)
            .bind(log.0)
            .bind(first)
            .bind(first + count - 1)
            .bind(bytes)
            .bind(event_type)
            .bind(tag.as_str())
            .bind(&padded)
            .bind(tag_hash(log, tag))
            .execute(world.pool())
            .await
            .unwrap();
    }
}

const HAMLET: &str = r#"{"what":"announced","show":"Hamlet","seats":3}"#;

async fn snapshot_position(world: &World) -> i64 {
    sqlx::query_scalar("select coalesce(max(position), 0) from store.snapshots where entity = 'show:Hamlet'")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_few_large_events_are_enough_for_a_snapshot() {
    let world = World::create().await;
    large_events(&world, &show_tag("Hamlet"), "announced", HAMLET, 4, 100_000).await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    assert_eq!(
        summary(&engine.submit(&world.log, submission(vec![reserve("Hamlet", "a")])).await),
        "1 events"
    );
    eventually(TIMEOUT, "a snapshot is saved", async || snapshot_position(&world).await >= 4).await;
    // One without large events has none.
    engine.submit(&world.log, submission(vec![announce("Faust", 3), reserve("Faust", "a")])).await.unwrap();
    let snapshots: i64 =
        sqlx::query_scalar("select count(*) from store.snapshots").fetch_one(world.pool()).await.unwrap();
    assert_eq!(snapshots, 1);
}

#[tokio::test]
async fn a_snapshot_that_is_larger_than_the_limit_is_not_saved_for_every_event() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { snapshot_bytes: 1_000, ..tuning() });
    engine.submit(&world.log, submission(vec![announce("Hamlet", 400)])).await.unwrap();
    // The state grows with each event.
    for n in 0..300 {
        let command = reserve("Hamlet", &format!("guest with a name that is so long {n}"));
        engine.submit(&world.log, submission(vec![command])).await.unwrap();
    }
    eventually(TIMEOUT, "a snapshot is saved", async || snapshot_position(&world).await > 100).await;
    let written: i64 = sqlx::query_scalar(
        "select n_tup_ins + n_tup_upd from pg_stat_user_tables where relname = 'snapshots'",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert!(written < 15, "{written} snapshots for 300 events");
}

#[tokio::test]
async fn a_history_that_takes_longer_than_callers_wait_is_loaded_all_the_same() {
    let world = World::create().await;
    large_events(&world, &show_tag("Hamlet"), "announced", HAMLET, 100, 200_000).await;
    let impatient = Tuning { command_timeout: Duration::from_millis(1), ..tuning() };
    let engine: CommandEngine<Theatre> = world.engine(impatient);
    eventually(TIMEOUT, "a snapshot near the end", async || {
        let answer = engine.submit(&world.log, submission(vec![announce("Hamlet", 3)])).await;
        assert!(["Unavailable", "0 events"].contains(&summary(&answer).as_str()), "{answer:?}");
        snapshot_position(&world).await >= 98
    })
    .await;
    let patient: CommandEngine<Theatre> = world.engine(tuning());
    let answer = patient.submit(&world.log, submission(vec![reserve("Hamlet", "a")])).await;
    assert_eq!(summary(&answer), "1 events");
}

#[tokio::test]
async fn an_entity_without_snapshots_is_loaded_where_the_last_attempt_was() {
    let world = World::create().await;
    large_events(&world, &show_tag("Hamlet"), "announced", HAMLET, 1, 10).await;
    let reserved = r#"{"what":"reserved","show":"Hamlet","guest":"ann","seat":1}"#;
    large_events(&world, &guest_tag("ann"), "reserved", reserved, 400, 200_000).await;
    let impatient = Tuning { command_timeout: Duration::from_millis(200), ..tuning() };
    let engine: CommandEngine<Theatre> = world.engine(impatient);
    let follow = || Command::Follow { guest: "ann".to_owned(), show: "friend".to_owned() };
    eventually(TIMEOUT, "the command is done", async || {
        summary(&engine.submit(&world.log, submission(vec![follow()])).await) == "1 events"
    })
    .await;
}

#[tokio::test]
async fn loading_large_events_writes_no_temporary_files() {
    let world = World::create().await;
    large_events(&world, &show_tag("Hamlet"), "announced", HAMLET, 100, 200_000).await;
    let mut connection = world.pool().acquire().await.unwrap();
    let bytes: i64 = sqlx::query_scalar(
        "select sum(length(e.body::text)) from store.tip($1) t, lateral store.load_entities(
             $1, t.position, t.hash, array[$2], '{show:Hamlet}', 1::smallint, '{null}', '{null}', 100000, 1000000000) e",
    )
    .bind(world.log.key().0)
    .bind(tag_hash(world.log.key(), &show_tag("Hamlet")))
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    assert!(bytes > 20_000_000);
    sqlx::query("select pg_stat_force_next_flush()").execute(&mut *connection).await.unwrap();
    let written: i64 =
        sqlx::query_scalar("select temp_bytes from pg_stat_database where datname = current_database()")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
    assert_eq!(written, 0);
}

/// The positions of the events of each page.
async fn pages(world: &World, tags: &[Tag], read: &[Option<i64>], limit: PageLimit) -> Vec<Vec<i64>> {
    let reader = world.store.reader();
    let tip = reader.log(world.log.key()).await.unwrap().unwrap().tip;
    let mut read: Vec<Option<Position>> = read.iter().map(|read| read.map(Position)).collect();
    let mut pages = Vec::new();
    loop {
        let wanted: Vec<WantedEntity<'_>> = tags
            .iter()
            .zip(&read)
            .map(|(tag, read)| WantedEntity { tag, read: *read, last_segment: None })
            .collect();
        let mut page = Vec::new();
        let visit = |row| {
            if let EntityRow::Event { tip, .. } = row {
                page.push(tip.position.0);
            }
            Ok::<(), StoreError>(())
        };
        let through =
            reader.load_entities(world.log.key(), tip, &wanted, 1, limit, visit).await.unwrap().unwrap();
        pages.push(page);
        if through == tip.position {
            return pages;
        }
        read.iter_mut().for_each(|read| *read = (*read).max(Some(through)));
    }
}

#[tokio::test]
async fn a_page_ends_at_a_number_of_events_or_of_bytes() {
    let world = World::create().await;
    let tags = [show_tag("Hamlet"), show_tag("Faust")];
    for (tag, bytes) in [(0, 10), (1, 10), (0, 100_000), (1, 10), (0, 10)] {
        large_events(&world, &tags[tag], "announced", HAMLET, 2, bytes).await;
    }
    let limit = |events_max, stored_bytes_max| PageLimit { events_max, stored_bytes_max };
    let new = [None, None];
    assert_eq!(pages(&world, &tags, &new, limit(100, 1 << 30)).await, [vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]);
    assert_eq!(
        pages(&world, &tags, &new, limit(4, 1 << 30)).await,
        [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]
    );
    assert_eq!(
        pages(&world, &tags, &new, limit(100, 50_000)).await,
        [vec![1, 2, 3, 4, 5], vec![6], vec![7, 8, 9, 10]]
    );
    // Each entity goes on from where it was.
    assert_eq!(pages(&world, &tags, &[Some(5), Some(7)], limit(2, 1 << 30)).await, [vec![6, 8], vec![9, 10]]);
}
