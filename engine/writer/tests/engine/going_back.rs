//! A log that loses its end, as after a failover to a standby that had not received it: nothing is decided on what is gone.

use crate::theatre::{Theatre, show_tag};
use crate::world::{World, keyed, new_id, submission, summary, tuning};
use crate::{announce, reserve};
use recount_core::{Frontier, Position, RecordedEvent, Tip};
use recount_store::{Appended, EntityRow, NewOutcome, PageLimit, StoreError, WantedEntity};
use recount_test_support::eventually;
use recount_writer::{CommandEngine, IdempotencyKey, Tuning};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);

fn engines<const N: usize>(world: &World) -> [CommandEngine<Theatre>; N] {
    std::array::from_fn(|_| world.engine(tuning()))
}

async fn answer(engine: &CommandEngine<Theatre>, world: &World, command: crate::Command) -> String {
    summary(&engine.submit(&world.log, submission(vec![command])).await)
}

/// Announces a show with two seats, and then takes one that the log loses.
async fn seat_that_is_lost(world: &World, engine: &CommandEngine<Theatre>) {
    assert_eq!(answer(engine, world, announce("Hamlet", 2)).await, "1 events");
    assert_eq!(answer(engine, world, reserve("Hamlet", "lost")).await, "1 events");
    world.lose_events_after(1).await;
}

#[tokio::test]
async fn a_writer_begins_again_at_the_true_end_and_answers() {
    let world = World::create().await;
    let [engine] = engines(&world);
    seat_that_is_lost(&world, &engine).await;
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "a")).await, "1 events");
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "b")).await, "1 events");
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "c")).await, "sold-out");
    assert_eq!(world.events().await.len(), 3);
}

/// The other process appends until its log is as long as the one that the first process remembers, and one longer.
#[tokio::test]
async fn a_writer_notices_it_when_others_have_filled_the_positions_anew() {
    for others in [1, 2] {
        let world = World::create().await;
        let [first, second] = engines(&world);
        seat_that_is_lost(&world, &first).await;
        for n in 0..others {
            assert_eq!(answer(&second, &world, announce(&format!("other {n}"), 1)).await, "1 events");
        }
        // The show has two seats again, and the other shows are there.
        assert_eq!(answer(&first, &world, reserve("Hamlet", "a")).await, "1 events");
        assert_eq!(answer(&first, &world, reserve("Hamlet", "b")).await, "1 events");
        assert_eq!(answer(&first, &world, reserve("Hamlet", "c")).await, "sold-out");
        assert_eq!(answer(&first, &world, announce("other 0", 1)).await, "0 events");
    }
}

#[tokio::test]
async fn a_rejection_rests_on_the_log_and_not_on_what_it_lost() {
    let world = World::create().await;
    let [engine] = engines(&world);
    assert_eq!(answer(&engine, &world, announce("Hamlet", 1)).await, "1 events");
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "lost")).await, "1 events");
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "a")).await, "sold-out");
    world.lose_events_after(1).await;
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "a")).await, "1 events");
}

#[tokio::test]
async fn a_snapshot_of_what_is_gone_is_not_used_and_gives_way() {
    let world = World::create().await;
    let every = |snapshot_every| Tuning { snapshot_every, ..tuning() };
    let engine: CommandEngine<Theatre> = world.engine(every(2));
    assert_eq!(answer(&engine, &world, announce("Hamlet", 3)).await, "1 events");
    for guest in ["lost 1", "lost 2", "lost 3"] {
        assert_eq!(answer(&engine, &world, reserve("Hamlet", guest)).await, "1 events");
    }
    let saved = async || snapshot(&world).await;
    eventually(TIMEOUT, "a snapshot is saved", async || saved().await.is_some_and(|tip| tip.position.0 >= 2))
        .await;
    engine.stop().await;
    world.lose_events_after(1).await;
    // Another history of the same length. The snapshot's position is in it, and its hash is not.
    let other: CommandEngine<Theatre> = world.engine(every(1_000));
    for n in 0..3 {
        assert_eq!(answer(&other, &world, announce(&format!("other {n}"), 1)).await, "1 events");
    }
    let restarted: CommandEngine<Theatre> = world.engine(every(2));
    for guest in ["a", "b", "c"] {
        assert_eq!(answer(&restarted, &world, reserve("Hamlet", guest)).await, "1 events");
    }
    assert_eq!(answer(&restarted, &world, reserve("Hamlet", "d")).await, "sold-out");
    eventually(TIMEOUT, "a true snapshot takes its place", async || match saved().await {
        Some(tip) => world.store.reader().contains(world.log.key(), tip).await.unwrap(),
        None => false,
    })
    .await;
}

/// The tip at which the snapshot of the show was taken.
async fn snapshot(world: &World) -> Option<Tip> {
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "select position, hash from store.snapshots where log = $1 and entity = 'show:Hamlet'",
    )
    .bind(world.log.key().0)
    .fetch_optional(world.pool())
    .await
    .unwrap();
    row.map(|(position, hash)| Tip {
        position: Position(position),
        hash: recount_core::EventHash::from_slice(&hash).unwrap(),
    })
}

#[tokio::test]
async fn an_outcome_of_what_is_gone_is_not_repeated() {
    let world = World::create().await;
    let [engine] = engines(&world);
    let (key, request) = ("k", "reserve");
    let keyed_key = IdempotencyKey::new(key, &[request.as_bytes()]);
    assert_eq!(answer(&engine, &world, announce("Hamlet", 1)).await, "1 events");
    assert_eq!(summary(&engine.submit(&world.log, keyed(reserve("Hamlet", "a"), key)).await), "1 events");
    let recorded = |hash| {
        sqlx::query("update store.outcomes set hash = $2 where log = $1").bind(world.log.key().0).bind(hash)
    };
    // As if the outcome had outlived its event.
    recorded(vec![7_u8; 32]).execute(world.pool()).await.unwrap();
    assert_eq!(world.store.reader().outcomes(world.log.key(), &[keyed_key.key]).await.unwrap(), []);
    let mut batch = world.batch(world.log.key()).await;
    let outcome = r#"{"position":2,"outcomes":[]}"#.to_owned();
    batch.push_outcome(NewOutcome { key: keyed_key.key, request: keyed_key.request, outcome });
    assert_eq!(world.store.append(&batch, TIMEOUT).await.unwrap(), Appended::Done);
    assert_eq!(world.store.reader().outcomes(world.log.key(), &[keyed_key.key]).await.unwrap().len(), 1);
    assert_eq!(world.store.append(&batch, TIMEOUT).await.unwrap(), Appended::KeyTaken);
}

#[tokio::test]
async fn a_reader_that_goes_on_from_what_is_gone_learns_it() {
    let world = World::create().await;
    let [engine] = engines(&world);
    seat_that_is_lost(&world, &engine).await;
    let reader = world.store.reader();
    let events = world.events().await;
    let true_tip = Tip::at(&events[0]);
    let gone = Tip { position: Position(2), hash: true_tip.hash };
    assert_eq!(reader.read_after(world.log.key(), true_tip, 10).await.unwrap(), []);
    let diverged =
        |read: Result<Vec<RecordedEvent>, StoreError>| matches!(read, Err(StoreError::Diverged(_)));
    assert!(diverged(reader.read_after(world.log.key(), gone, 10).await));
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "a")).await, "1 events");
    assert!(diverged(reader.read_after(world.log.key(), gone, 10).await));
    let other_log = Tip { position: Position::START, hash: true_tip.hash };
    assert!(diverged(reader.read_after(world.log.key(), other_log, 10).await));
    assert!(reader.contains(world.log.key(), true_tip).await.unwrap());
    assert!(!reader.contains(world.log.key(), gone).await.unwrap());
}

#[tokio::test]
async fn an_event_that_was_changed_in_the_database_is_noticed_by_who_follows() {
    let world = World::create().await;
    let [engine] = engines(&world);
    assert_eq!(answer(&engine, &world, announce("Hamlet", 1)).await, "1 events");
    let origin = Tip { position: Position::START, hash: world.events().await[0].previous };
    sqlx::raw_sql(
        "alter table store.events disable trigger user;
         update store.events set data = replace(data::text, '1', '9')::json;
         alter table store.events enable trigger user",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let read = world.store.reader().read_after(world.log.key(), origin, 10).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn entities_are_loaded_at_the_tip_and_at_no_other() {
    let world = World::create().await;
    let [engine] = engines(&world);
    assert_eq!(answer(&engine, &world, announce("Hamlet", 9)).await, "1 events");
    let log = world.log.key();
    let before = world.store.reader().log(log).await.unwrap().unwrap().tip;
    assert_eq!(answer(&engine, &world, reserve("Hamlet", "a")).await, "1 events");
    let now = world.store.reader().log(log).await.unwrap().unwrap().tip;
    let load = async |tip| {
        let mut rows = 0;
        let visit = |_: EntityRow| {
            rows += 1;
            Ok::<(), StoreError>(())
        };
        let show = show_tag("Hamlet");
        let wanted = [WantedEntity { tag: &show, read: None, last_segment: None }];
        let limit = PageLimit { events_max: 100, stored_bytes_max: 1 << 20 };
        let read = world.store.reader().load_entities(log, tip, &wanted, 1, limit, visit).await.unwrap();
        (read.map(|position| position.0), rows)
    };
    assert_eq!(load(before).await, (None, 0));
    assert_eq!(load(now).await, (Some(2), 2));
}

/// The kept frontier and the hashes after it give the same tree as all hashes.
#[tokio::test]
async fn the_merkle_tree_is_carried_along_and_read_again() {
    let world = World::create().await;
    let [engine] = engines(&world);
    let commands = (0..700).map(|n| announce(&format!("show {n}"), 1)).collect();
    engine.submit(&world.log, submission(commands)).await.unwrap();
    assert_eq!(answer(&engine, &world, announce("Hamlet", 1)).await, "1 events");
    let log = world.store.reader().log(world.log.key()).await.unwrap().unwrap();
    let mut tree = Frontier::default();
    world.events().await.iter().for_each(|event| tree.push(event.hash));
    let read = world.store.reader().frontier(log.key, log.tip).await.unwrap();
    assert_eq!((read.position(), read.root()), (Position(701), tree.root()));
    let kept: i64 = sqlx::query_scalar("select max(position) from store.frontiers")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(kept, 700);
    let mut batch = world.batch(log.key).await;
    batch.push_event(recount_core::NewEvent {
        id: new_id(),
        event_type: "noted",
        version: 1,
        tags: vec![],
        data: "1".to_owned(),
        meta: "{}".into(),
    });
    tree.push(batch.next_tip().hash);
    assert_eq!(batch.frontier().root(), tree.root());
}
