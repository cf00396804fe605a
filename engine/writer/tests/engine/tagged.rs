//! The events of one entity, read from the log by its tag.

use crate::theatre::{Theatre, guest_tag, show_tag};
use crate::world::new_id;
use crate::world::{World, submission, tuning};
use recount_core::{LogName, NewEvent, Position, RecordedEvent, Tag};
use recount_store::{Appended, tag_hash};
use recount_writer::CommandEngine;
use std::time::Duration;

use crate::{announce, reserve};

/// All events with the tag, read in pages of this size.
async fn pages(world: &World, tag: &Tag, limit: u32) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = events.last().map_or(Position::START, |event| event.position);
        let page = world.store.reader().read_tagged(world.log.key(), tag, after, limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

#[tokio::test]
async fn the_events_of_an_entity_are_read_in_order_and_without_others() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let mut commands = vec![announce("Hamlet", 99), announce("Faust", 99)];
    for n in 0..20 {
        commands.push(reserve(if n % 3 == 0 { "Hamlet" } else { "Faust" }, &format!("g{}", n % 2)));
    }
    engine.submit(&world.log, submission(commands.clone())).await.unwrap();
    let elsewhere: LogName = "elsewhere".parse().unwrap();
    world.store.create_log(&elsewhere).await.unwrap();
    engine.submit(&elsewhere, submission(commands)).await.unwrap();
    let log = world.events().await;
    for tag in [show_tag("Hamlet"), show_tag("Faust"), guest_tag("g0"), guest_tag("g1")] {
        let expected: Vec<RecordedEvent> =
            log.iter().filter(|event| event.tags.contains(&tag)).cloned().collect();
        assert!(expected.len() > 5);
        for limit in [1, 2, 1_000] {
            assert_eq!(pages(&world, &tag, limit).await, expected, "{tag} in pages of {limit}");
        }
    }
    assert!(pages(&world, &show_tag("Othello"), 10).await.is_empty());
}

#[tokio::test]
async fn an_event_with_a_colliding_tag_hash_is_ignored_and_ends_no_page() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    let mut commands = vec![announce("Hamlet", 99), reserve("Hamlet", "ann")];
    commands.extend((0..10).map(|n| reserve("Hamlet", &format!("g{n}"))));
    commands.push(reserve("Hamlet", "ann"));
    engine.submit(&log, submission(commands)).await.unwrap();
    // As if the tags of all these events had the same hash as Ann's tag.
    sqlx::query(
        "insert into store.event_tags (log, tag, segment, slot) select $1, $2, 0, generate_series(3, 12)",
    )
    .bind(log.key().0)
    .bind(tag_hash(log.key(), &guest_tag("ann")))
    .execute(world.pool())
    .await
    .unwrap();
    for limit in [1, 2, 5] {
        let events = pages(&world, &guest_tag("ann"), limit).await;
        let positions: Vec<i64> = events.iter().map(|event| event.position.0).collect();
        assert_eq!(positions, [2, 13], "in pages of {limit}");
    }
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_the_next_page_continues() {
    let world = World::create().await;
    let log = world.log.clone();
    let tag = show_tag("Hamlet");
    let mut batch = world.batch(log.key()).await;
    for _ in 0..5 {
        batch.push_event(NewEvent {
            id: new_id(),
            event_type: "noted",
            version: 1,
            tags: vec![tag.clone()],
            data: format!("\"{}\"", "x".repeat(3 << 20)),
            meta: "{}".into(),
        });
    }
    assert_eq!(world.store.append(&batch, Duration::from_secs(30)).await.unwrap(), Appended::Done);
    let first = world.store.reader().read_tagged(log.key(), &tag, Position::START, 100).await.unwrap();
    assert_eq!(first.len(), 3);
    assert_eq!(pages(&world, &tag, 100).await.len(), 5);
}
