//! Idempotency: a key always stands for one request and one outcome.

use std::time::Duration;

use crate::theatre::Theatre;
use crate::world::{World, keyed, submission, summary, tuning};
use recount_test_support::eventually;
use recount_writer::{CommandEngine, IdempotencyKey, SubmitError};
use tokio::task::JoinSet;

use crate::{announce, reserve};

#[tokio::test]
async fn a_repeated_command_returns_the_recorded_outcome_and_changes_nothing() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 9)])).await.unwrap();
    let first = engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await.unwrap();
    let again = engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await.unwrap();
    assert_eq!(first, again);
    let elsewhere: CommandEngine<Theatre> = world.engine(tuning());
    assert_eq!(elsewhere.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await.unwrap(), first);
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn a_repeated_command_that_was_rejected_stays_rejected() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    assert_eq!(summary(&engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await), "no-show");
    engine.submit(&log, submission(vec![announce("Hamlet", 9)])).await.unwrap();
    assert_eq!(summary(&engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await), "no-show");
    assert_eq!(summary(&engine.submit(&log, keyed(reserve("Hamlet", "a"), "k2")).await), "1 events");
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_refused() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, keyed(announce("Hamlet", 9), "k1")).await.unwrap();
    let other = engine.submit(&log, keyed(announce("Faust", 9), "k1")).await;
    assert_eq!(other.unwrap_err(), SubmitError::KeyReused);
}

#[tokio::test]
async fn concurrent_repeats_through_two_processes_happen_once() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let log = world.log.clone();
    engines[0].submit(&log, submission(vec![announce("Hamlet", 99)])).await.unwrap();
    let mut callers = JoinSet::new();
    for n in 0..40 {
        let (engine, log) = (engines[n % 2].clone(), log.clone());
        callers.spawn(async move { engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await.unwrap() });
    }
    let answers = callers.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn a_rejection_that_another_process_recorded_is_found() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let log = world.log.clone();
    // Both writers are running, and have read the empty log.
    for engine in &engines {
        assert_eq!(summary(&engine.submit(&log, submission(vec![reserve("Hamlet", "a")])).await), "no-show");
    }
    assert_eq!(summary(&engines[0].submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await), "no-show");
    // A rejection does not move the head, so the other writer does not know of it.
    let other = engines[1].submit(&log, keyed(announce("Hamlet", 1), "k1")).await;
    assert_eq!(other.unwrap_err(), SubmitError::KeyReused);
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn a_key_that_another_process_recorded_long_after_the_start_stands_for_its_outcome() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let log = world.log.clone();
    engines[0].submit(&log, submission(vec![announce("Hamlet", 9)])).await.unwrap();
    // After so many keys, one that seems new is not looked up.
    let mut callers = JoinSet::new();
    for n in 0..1_100 {
        let (engine, log) = (engines[0].clone(), log.clone());
        callers.spawn(async move {
            engine.submit(&log, keyed(reserve("Faust", "a"), &n.to_string())).await.unwrap()
        });
    }
    callers.join_all().await;
    let first = engines[1].submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await.unwrap();
    let answers = tokio::join!(
        engines[0].submit(&log, keyed(reserve("Hamlet", "a"), "k1")),
        engines[0].submit(&log, keyed(reserve("Hamlet", "b"), "k2"))
    );
    assert_eq!(answers.0.unwrap(), first);
    assert_eq!(summary(&answers.1), "1 events");
    assert_eq!(world.events().await.len(), 3);
}

#[tokio::test]
async fn the_same_request_is_recorded_in_two_logs_as_two_that_cannot_be_compared() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let other: recount_core::LogName = "other".parse().unwrap();
    world.store.create_log(&other).await.unwrap();
    for log in [&world.log, &other] {
        for _ in 0..2 {
            assert_eq!(summary(&engine.submit(log, keyed(announce("Hamlet", 9), "k1")).await), "1 events");
        }
    }
    let requests: Vec<uuid::Uuid> =
        sqlx::query_scalar("select request from store.outcomes").fetch_all(world.pool()).await.unwrap();
    let plain = IdempotencyKey::new("k1", &[format!("{:?}", announce("Hamlet", 9)).as_bytes()]).request.0;
    assert_eq!(requests.len(), 2);
    assert!(requests[0] != requests[1] && !requests.contains(&plain), "{requests:?}");
}

/// Outcomes of so many days ago.
async fn old_outcomes(world: &World, days: i32, count: i32) {
    sqlx::query(
        "insert into store.outcomes (log, key, request, position, recorded_at, hash, outcome)
         select $1, gen_random_uuid(), gen_random_uuid(), 0, now() - make_interval(days => $2), '', '{}'
         from generate_series(1, $3)",
    )
    .bind(world.log.key().0)
    .bind(days)
    .bind(count)
    .execute(world.pool())
    .await
    .unwrap();
}

async fn outcomes(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from store.outcomes").fetch_one(world.pool()).await.unwrap()
}

#[tokio::test]
async fn outcomes_of_long_ago_are_forgotten() {
    let world = World::create().await;
    old_outcomes(&world, 91, 25_000).await;
    old_outcomes(&world, 89, 10).await;
    let _engine: CommandEngine<Theatre> = world.engine(tuning());
    eventually(Duration::from_secs(60), "outcomes are forgotten", async || outcomes(&world).await == 10)
        .await;
    let days = |days: u64| Duration::from_hours(24 * days);
    assert_eq!(world.store.forget_outcomes(days(90)).await.unwrap(), 0);
    assert_eq!(world.store.forget_outcomes(days(88)).await.unwrap(), 10);
}

#[tokio::test]
async fn outcomes_are_kept_for_a_day_at_least() {
    let world = World::create().await;
    old_outcomes(&world, 0, 10).await;
    old_outcomes(&world, 2, 10).await;
    assert_eq!(world.store.forget_outcomes(Duration::ZERO).await.unwrap(), 10);
    assert_eq!(outcomes(&world).await, 10);
}
