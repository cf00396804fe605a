//! Idempotency: a key always stands for one request and one outcome.

use crate::theatre::Theatre;
use crate::world::{World, keyed, submission, summary, tuning};
use recount_writer::{CommandEngine, SubmitError};
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
