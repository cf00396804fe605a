//! The engine with a projection without any ledger, on a real Postgres.

use std::sync::atomic::Ordering;

use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Tally, World, log, until};
use recount_core::Position;
use recount_projection::{FeedOutcome, ProjectionEngine, SchemaError, tail_store};
use recount_service_kit::database::{Database, Settings, Workload};
use recount_store::LogReader;
use recount_test_support::Proxy;
use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn events_that_are_fed_twice_are_applied_once() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 10).await;
    let events = world.store.reader().read(main.key(), Position::START, 10).await.unwrap();
    let engine = world.engine(Tally::default()).await;
    assert_eq!(engine.apply_feed(&main, &events[..6]).await.unwrap(), FeedOutcome::At(Position(6)));
    assert_eq!(engine.apply_feed(&main, &events[..6]).await.unwrap(), FeedOutcome::At(Position(6)));
    assert_eq!(engine.apply_feed(&main, &events[3..]).await.unwrap(), FeedOutcome::At(Position(10)));
    assert_eq!(world.tallied(&main).await, 10);
    assert_eq!(engine.status().report().events_applied, 10);
}

#[tokio::test]
async fn a_gap_in_a_feed_is_read_from_the_store() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 30).await;
    let events = world.store.reader().read(main.key(), Position::START, 30).await.unwrap();
    let engine = world.engine(Tally::default()).await;
    let with_gaps: Vec<_> = [&events[4..7], &events[9..12], &events[20..21]].concat();
    assert_eq!(engine.apply_feed(&main, &with_gaps).await.unwrap(), FeedOutcome::At(Position(21)));
    assert_eq!(world.tallied(&main).await, 21);
}

#[tokio::test]
async fn events_that_are_fed_out_of_order_are_applied_in_order() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 9).await;
    let events = world.store.reader().read(main.key(), Position::START, 9).await.unwrap();
    let engine = world.engine(Tally::default()).await;
    for part in [&events[6..9], &events[3..6], &events[..3]] {
        assert_eq!(engine.apply_feed(&main, part).await.unwrap(), FeedOutcome::At(Position(9)));
    }
    assert_eq!(world.tallied(&main).await, 9);
}

#[tokio::test]
async fn fed_events_that_are_not_in_the_store_are_ignored() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 9).await;
    let mut events = world.store.reader().read(main.key(), Position::START, 9).await.unwrap();
    for event in &mut events {
        event.position = Position(event.position.0 + 10);
    }
    let engine = world.engine(Tally::default()).await;
    assert_eq!(engine.apply_feed(&main, &events).await.unwrap(), FeedOutcome::At(Position(9)));
    assert_eq!(world.tallied(&main).await, 9);
}

#[tokio::test]
async fn two_engines_on_the_same_logs_apply_each_event_once() {
    let world = World::new().await;
    let names = [log("one"), log("two"), log("three")];
    let token = CancellationToken::new();
    let (first, second) = (world.engine(Tally::default()).await, world.engine(Tally::default()).await);
    let tasks = [
        tokio::spawn(tail_store(first.clone(), token.clone())),
        tokio::spawn(tail_store(second.clone(), token.clone())),
    ];
    for _ in 0..40 {
        for name in &names {
            world.count(name, 7).await;
        }
    }
    for name in &names {
        until("all events are tallied", async || world.tallied(name).await == 280).await;
    }
    token.cancel();
    for task in tasks {
        task.await.unwrap();
    }
    let applied = [first, second].map(|engine| engine.status().report().events_applied);
    assert_eq!(applied.iter().sum::<u64>(), 840, "{applied:?}");
}

#[tokio::test]
async fn a_poisoned_event_stops_only_its_own_log_until_a_restart_can_apply_it() {
    let world = World::new().await;
    let (broken, healthy) = (log("broken"), log("healthy"));
    world.count(&broken, 5).await;
    world.append(&broken, vec![("poisoned", "{}".to_owned(), Vec::new())]).await;
    world.count(&broken, 3).await;
    world.count(&healthy, 4).await;
    let tally = Tally::default();
    let engine = world.engine(tally.clone()).await;
    let token = CancellationToken::new();
    let task = tokio::spawn(tail_store(engine.clone(), token.clone()));
    until("the log is stopped", async || !engine.status().report().stopped.is_empty()).await;
    until("the other log is applied", async || world.tallied(&healthy).await == 4).await;
    assert_eq!(world.tallied(&broken).await, 5);
    let stopped = &engine.status().report().stopped[0];
    assert_eq!((&stopped.0, stopped.1.at), (&broken, Position(6)));
    assert_eq!(
        world
            .text("select concat_ws(' ', log_name, position, stopped_at, stopped_reason) from read.progress where stopped_at > 0")
            .await,
        ["broken 5 6 it cannot be read"]
    );
    world.count(&healthy, 1).await;
    until("the other log continues", async || world.tallied(&healthy).await == 5).await;
    token.cancel();
    task.await.unwrap();

    tally.repaired.store(true, Ordering::Relaxed);
    let restarted = world.engine(tally).await;
    assert_eq!(restarted.catch_up(&broken, Position(9)).await.unwrap(), FeedOutcome::At(Position(9)));
    assert_eq!(world.tallied(&broken).await, 9);
    assert!(
        world.text("select stopped_reason from read.progress where stopped_at is not null").await.is_empty()
    );
}

#[tokio::test]
async fn a_log_whose_first_event_is_poisoned_stops_before_it_and_can_resume() {
    let world = World::new().await;
    let main = log("main");
    world.append(&main, vec![("poisoned", "{}".to_owned(), Vec::new())]).await;
    let tally = Tally::default();
    let engine = world.engine(tally.clone()).await;
    assert_eq!(engine.catch_up(&main, Position(1)).await.unwrap(), FeedOutcome::Stopped);
    assert_eq!(world.text("select position || ' ' || stopped_at from read.progress").await, ["0 1"]);
    tally.repaired.store(true, Ordering::Relaxed);
    let restarted = world.engine(tally).await;
    assert_eq!(restarted.catch_up(&main, Position(1)).await.unwrap(), FeedOutcome::At(Position(1)));
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_isolated_and_stops_its_log() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 100).await;
    world.append(&main, vec![("refused", "{}".to_owned(), Vec::new())]).await;
    world.count(&main, 100).await;
    let engine = world.engine(Tally::default()).await;
    assert_eq!(engine.catch_up(&main, Position(201)).await.unwrap(), FeedOutcome::Stopped);
    assert_eq!(world.tallied(&main).await, 100);
    assert_eq!(engine.status().report().stopped[0].1.at, Position(101));
}

#[tokio::test]
async fn a_restart_resumes_where_the_last_run_ended() {
    let world = World::new().await;
    let main = log("main");
    for _ in 0..3 {
        world.count(&main, 2_500).await;
    }
    for _ in 0..100 {
        let token = CancellationToken::new();
        let engine = world.engine(Tally::default()).await;
        let task = tokio::spawn(tail_store(engine.clone(), token.clone()));
        until("something is applied", async || engine.status().report().events_applied > 0).await;
        token.cancel();
        task.await.unwrap();
        if world.tallied(&main).await == 7_500 {
            return;
        }
    }
    panic!("the events were not all applied after a hundred restarts");
}

#[tokio::test]
async fn broken_connections_lose_no_events() {
    let world = World::new().await;
    let main = log("main");
    let token = CancellationToken::new();
    let engine = world.engine(Tally::default()).await;
    let task = tokio::spawn(tail_store(engine.clone(), token.clone()));
    let mut terminated = 0;
    for round in 1..=30_i64 {
        world.count(&main, 20).await;
        if round % 5 == 0 {
            terminated += sqlx::query_scalar::<_, bool>(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and application_name = 'projector'",
            )
            .fetch_all(&world.pool)
            .await
            .unwrap()
            .len();
        }
    }
    assert!(terminated > 0);
    until("all events are tallied", async || world.tallied(&main).await == 600).await;
    token.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_database_that_lost_its_last_commits_catches_up_again() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 20).await;
    let engine = world.engine(Tally::default()).await;
    engine.catch_up(&main, Position(20)).await.unwrap();
    // A crash loses commits that had not reached the disk: progress and data go back together.
    sqlx::raw_sql(
        "update tally_v1.progress set position = 12,
             hash = (select hash from store.events where log = progress.log and position = 12);
         update tally_v1.tallies set events = 12;
         delete from tally_v1.seen where position > 12",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    world.count(&main, 1).await;
    let event = world.store.reader().read(main.key(), Position(20), 1).await.unwrap();
    assert_eq!(engine.apply_feed(&main, &event).await.unwrap(), FeedOutcome::At(Position(21)));
    assert_eq!(world.tallied(&main).await, 21);
}

#[tokio::test]
async fn progress_is_notified_to_listening_readers() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 5).await;
    let engine = world.engine(Tally::default()).await;
    let mut listener = PgListener::connect_with(&world.pool).await.unwrap();
    listener.listen("recount_read").await.unwrap();
    engine.catch_up(&main, Position(5)).await.unwrap();
    tokio::time::timeout(PATIENCE, listener.recv()).await.unwrap().unwrap();
    assert_eq!(world.progress("tally_v1", &main).await, 5);
}

#[tokio::test]
async fn concurrent_migrations_create_the_schema_once_and_verify_fails_before_them() {
    let world = World::new().await;
    let tally = Tally::default();
    assert!(matches!(
        recount_projection::verify(&world.pool, &tally).await,
        Err(SchemaError::Missing { .. })
    ));
    let (one, two, three) = tokio::join!(
        recount_projection::migrate(&world.pool, &tally),
        recount_projection::migrate(&world.pool, &tally),
        recount_projection::migrate(&world.pool, &tally)
    );
    one.and(two).and(three).unwrap();
    recount_projection::verify(&world.pool, &tally).await.unwrap();
}

#[tokio::test]
async fn a_host_that_vanishes_delays_a_projector_by_seconds() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 3).await;
    recount_projection::migrate(&world.pool, &Tally::default()).await.unwrap();
    let (proxy, url) = Proxy::before(&world.url).await;
    let database = Database::connect(&url, &Settings::new("following", Workload::Following)).await.unwrap();
    let engine = ProjectionEngine::new(Tally::default(), LogReader::new(&database), &database);
    let token = CancellationToken::new();
    let following = tokio::spawn(tail_store(engine, token.clone()));
    until("the first events are applied", async || world.tallied(&main).await == 3).await;
    proxy.vanish();
    let vanished_at = Instant::now();
    world.count(&main, 3).await;
    until("the next events are applied", async || world.tallied(&main).await == 6).await;
    assert!(vanished_at.elapsed() < Duration::from_secs(40), "{:?}", vanished_at.elapsed());
    token.cancel();
    following.await.unwrap();
}
