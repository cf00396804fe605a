//! A log of more than one segment: the tags of those before the last are in stored filters.

use std::time::Duration;

use crate::theatre::{Theatre, show_tag};
use crate::world::{World, submission, summary, tuning};
use crate::{announce, reserve};
use recount_store::{EntityRow, PageLimit, StoreError, WantedEntity, tag_hash};
use recount_test_support::eventually;
use recount_writer::{CommandEngine, Tuning};

const TIMEOUT: Duration = Duration::from_secs(60);
const SEGMENT: i64 = 1 << 22;

/// A log that ends at the first position of its second segment. Of the first segment only an announcement and the last event
/// are there.
async fn world() -> World {
    let world = World::create().await;
    let log = world.log.key().0;
    for (position, show) in [(5, "Old"), (SEGMENT - 1, "Last"), (SEGMENT, "New")] {
        sqlx::query(
            "insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
             values ($1, $2, now(), gen_random_uuid(), 1, sha256($2::text::bytea), 'announced', $3, $4, '{}')",
        )
        .bind(log)
        .bind(position)
        .bind(show_tag(show).as_str())
        .bind(sqlx::types::Json(serde_json::json!({"what": "announced", "show": show, "seats": 9})))
        .execute(world.pool())
        .await
        .unwrap();
        sqlx::query("insert into store.event_tags values ($1, $2, store.segment($3), store.slot($3))")
            .bind(log)
            .bind(tag_hash(world.log.key(), &show_tag(show)))
            .bind(position)
            .execute(world.pool())
            .await
            .unwrap();
    }
    sqlx::query(
        "insert into store.frontiers (log, position, hash, frontier)
         select $1, $2, sha256($2::text::bytea), sha256('the tree')",
    )
    .bind(log)
    .bind(SEGMENT)
    .execute(world.pool())
    .await
    .unwrap();
    world
}

/// The filter of the first segment that is stored, and whether it is of the history that the log has.
async fn stored(world: &World) -> Option<(Vec<u8>, bool)> {
    sqlx::query_as(
        "select filter, hash = sha256(($2 - 1)::text::bytea) from store.tag_filters where log = $1 and segment = 0",
    )
    .bind(world.log.key().0)
    .bind(SEGMENT)
    .fetch_optional(world.pool())
    .await
    .unwrap()
}

async fn store(world: &World, hash_of: i64, filter: &[u8]) {
    sqlx::query(
        "insert into store.tag_filters (log, segment, version, hash, filter)
         values ($1, 0, 1, sha256($2::text::bytea), $3)
         on conflict (log, segment) do update set hash = excluded.hash, filter = excluded.filter",
    )
    .bind(world.log.key().0)
    .bind(hash_of)
    .bind(filter)
    .execute(world.pool())
    .await
    .unwrap();
}

async fn announced(engine: &CommandEngine<Theatre>, world: &World, show: &str) -> String {
    summary(&engine.submit(&world.log, submission(vec![announce(show, 1)])).await)
}

/// Looks up so much that the writer reads the history.
async fn look_up_much(engine: &CommandEngine<Theatre>, world: &World, round: &str) {
    let shows = (0..1_100).map(|n| announce(&format!("{round} {n}"), 1)).collect();
    engine.submit(&world.log, submission(shows)).await.unwrap();
}

#[tokio::test]
async fn the_tags_of_a_complete_segment_are_stored_as_a_filter_and_read_from_it() {
    let world = world().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    look_up_much(&engine, &world, "a").await;
    eventually(TIMEOUT, "a filter is stored", async || stored(&world).await.is_some()).await;
    let (filter, is_true) = stored(&world).await.unwrap();
    assert!(is_true && !filter.is_empty());
    for known in ["Old", "Last", "New", "a 1"] {
        assert_eq!(announced(&engine, &world, known).await, "0 events", "{known}");
    }
    assert_eq!(announced(&engine, &world, "never before").await, "1 events");
    // A filter without the old show takes it for new: this shows that the filter is used and not the rows.
    store(&world, SEGMENT - 1, b"").await;
    let cold: CommandEngine<Theatre> = world.engine(Tuning { entities_max: 1, ..tuning() });
    look_up_much(&cold, &world, "b").await;
    eventually(TIMEOUT, "the filter is used", async || {
        // Until then the old show is looked up. It must not stay in memory.
        assert_eq!(announced(&cold, &world, "New").await, "0 events");
        announced(&cold, &world, "Old").await == "1 events"
    })
    .await;
    assert_eq!(announced(&cold, &world, "New").await, "0 events");
}

#[tokio::test]
async fn a_filter_of_a_history_that_is_gone_is_not_used_and_gives_way() {
    let world = world().await;
    store(&world, 7, b"").await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    look_up_much(&engine, &world, "a").await;
    eventually(TIMEOUT, "a true filter takes its place", async || stored(&world).await.unwrap().1).await;
    for _ in 0..20 {
        assert_eq!(announced(&engine, &world, "Old").await, "0 events");
    }
    assert!(!stored(&world).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn a_damaged_filter_is_built_again() {
    let world = world().await;
    store(&world, SEGMENT - 1, b"damaged").await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    look_up_much(&engine, &world, "a").await;
    eventually(TIMEOUT, "a filter takes its place", async || stored(&world).await.unwrap().0 != b"damaged")
        .await;
    for _ in 0..20 {
        assert_eq!(announced(&engine, &world, "Old").await, "0 events");
    }
}

#[tokio::test]
async fn a_segment_whose_filter_has_no_room_is_looked_up() {
    let world = world().await;
    // Too large for this writer, which does not even read it.
    store(&world, SEGMENT - 1, &[0; 300_000]).await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { seen_bytes_max: 200_000, ..tuning() });
    look_up_much(&engine, &world, "a").await;
    for n in 0..20 {
        assert_eq!(announced(&engine, &world, "Old").await, "0 events");
        assert_eq!(announced(&engine, &world, "New").await, "0 events");
        assert_eq!(announced(&engine, &world, &format!("b {n}")).await, "1 events");
        assert_eq!(announced(&engine, &world, &format!("b {n}")).await, "0 events");
    }
    assert_eq!(stored(&world).await.unwrap().0.len(), 300_000);
}

/// The filter does not know the old segments, so it has to know of each tag whether it is in the newest one.
#[tokio::test]
async fn a_new_event_of_an_old_entity_is_found_though_its_segment_has_no_filter() {
    let world = world().await;
    store(&world, SEGMENT - 1, &[0; 300_000]).await;
    let forgetful = Tuning { seen_bytes_max: 200_000, entities_max: 1, ..tuning() };
    let engine: CommandEngine<Theatre> = world.engine(forgetful);
    look_up_much(&engine, &world, "a").await;
    let mut taken = 0_i64;
    let full = loop {
        let reserved = engine.submit(&world.log, submission(vec![reserve("Old", "g")])).await;
        // The show is evicted.
        announced(&engine, &world, &format!("b {taken}")).await;
        match summary(&reserved).as_str() {
            "1 events" if taken < 1_000 => taken += 1,
            other => break other.to_owned(),
        }
    };
    assert_eq!(full, "sold-out");
    let fresh: CommandEngine<Theatre> = world.engine(tuning());
    let again = fresh.submit(&world.log, submission(vec![reserve("Old", "g")])).await;
    assert_eq!(summary(&again), "sold-out");
    let reserved: i64 = sqlx::query_scalar("select count(*) from store.events where event_type = 'reserved'")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(reserved, taken);
}

#[tokio::test]
async fn an_entity_is_looked_up_in_the_segments_that_may_concern_it() {
    let world = world().await;
    let reader = world.store.reader();
    let tip = reader.log(world.log.key()).await.unwrap().unwrap().tip;
    let tags = [show_tag("Old"), show_tag("New")];
    let load = async |last_segment| {
        let wanted = tags.each_ref().map(|tag| WantedEntity { tag, read: None, last_segment });
        let mut positions = Vec::new();
        let visit = |row| {
            if let EntityRow::Event { tip, .. } = row {
                positions.push(tip.position.0);
            }
            Ok::<(), StoreError>(())
        };
        let limit = PageLimit { events_max: 100, stored_bytes_max: 1 << 20 };
        reader.load_entities(world.log.key(), tip, &wanted, 1, limit, visit).await.unwrap();
        positions
    };
    assert_eq!(load(None).await, [5, SEGMENT]);
    assert_eq!(load(Some(0)).await, [5]);
}
