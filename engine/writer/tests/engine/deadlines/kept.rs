//! The stored deadlines follow from the events of the log, and from nothing else.

use crate::theatre::{Theatre, deadline_name};
use crate::world::{World, dry_run, submission, summary, tuning};
use chrono::{DateTime, TimeDelta, Utc};
use recount_core::{LogKey, LogName};
use recount_store::{Appended, Deadline};
use recount_writer::{CommandEngine, DeadlineChange, Submission};

use super::{
    TIMEOUT, append, confirm, deadlines, history, long_ago, meaningless_event, names, reserve_until, set,
    soon,
};
use crate::{announce, reserve};

#[tokio::test]
async fn a_deadline_that_is_set_and_cleared_in_one_batch_is_not_stored() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 9)])).await.unwrap();
    // In one submission, and in two that are committed together.
    engine
        .submit(&log, submission(vec![reserve_until("Hamlet", "a", long_ago()), confirm("Hamlet", 1)]))
        .await
        .unwrap();
    let (reserved, confirmed) = tokio::join!(
        engine.submit(&log, submission(vec![reserve_until("Hamlet", "b", long_ago())])),
        engine.submit(&log, submission(vec![confirm("Hamlet", 2)])),
    );
    assert_eq!((summary(&reserved), summary(&confirmed)), ("1 events".to_owned(), "1 events".to_owned()));
    assert!(deadlines(&world).await.is_empty());
    let events = world.events().await;
    assert_eq!(events.len(), 5);
    assert_eq!(events[3].recorded_at, events[4].recorded_at, "they were committed together");
}

#[tokio::test]
async fn failed_submissions_and_dry_runs_set_no_deadlines() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 1)])).await.unwrap();
    let reservations =
        || vec![reserve_until("Hamlet", "a", long_ago()), reserve_until("Hamlet", "b", long_ago())];
    let (atomic, dry, other) = tokio::join!(
        engine.submit(&log, Submission { atomic: true, ..submission(reservations()) }),
        engine.submit(&log, dry_run(reservations())),
        // Another submission is in the batch, so that the batch is appended.
        engine.submit(&log, submission(vec![announce("Faust", 1)])),
    );
    assert_eq!(atomic.unwrap().failed, Some(1));
    assert_eq!((summary(&dry), summary(&other)), ("1 events".to_owned(), "1 events".to_owned()));
    assert!(deadlines(&world).await.is_empty());
    assert_eq!(history(&world).await, ["announced", "announced"]);
}

#[tokio::test]
async fn a_batch_that_lost_its_race_sets_the_deadlines_of_its_last_decision() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let log = world.log.clone();
    engines[0].submit(&log, submission(vec![announce("Hamlet", 2)])).await.unwrap();
    for engine in &engines {
        assert_eq!(summary(&engine.submit(&log, dry_run(vec![reserve("Hamlet", "x")])).await), "1 events");
    }
    engines[0].submit(&log, submission(vec![reserve("Hamlet", "a")])).await.unwrap();
    // In the memory of this process, the first seat is free.
    engines[1].submit(&log, submission(vec![reserve_until("Hamlet", "b", long_ago())])).await.unwrap();
    assert_eq!(names(&world).await, [deadline_name("Hamlet", 2)]);
}

#[tokio::test]
async fn a_deadline_that_moves_has_one_due_time_and_pages_are_complete() {
    let world = World::create().await;
    let (one, two) = (world.log.key(), "two".parse::<LogName>().unwrap());
    world.store.create_log(&two).await.unwrap();
    let (first, second, later) = (long_ago(), long_ago() + TimeDelta::days(1), soon() + TimeDelta::days(1));
    append(&world, one, vec![set("a", later), set("b", first), set("c", first), set("moved", first)]).await;
    append(&world, one, vec![set("moved", second), DeadlineChange::Clear { name: "never set".to_owned() }])
        .await;
    append(&world, two.key(), vec![set("a", first), set("b", second)]).await;
    let mut found: Vec<Deadline> = Vec::new();
    loop {
        let page = world.store.reader().due_deadlines(found.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert!(found.is_sorted(), "the order is that of the store: {found:?}");
    let mut expected: Vec<(DateTime<Utc>, LogKey, &str)> = vec![
        (first, one, "b"),
        (first, one, "c"),
        (second, one, "moved"),
        (first, two.key(), "a"),
        (second, two.key(), "b"),
    ];
    expected.sort();
    let found: Vec<_> = found.iter().map(|found| (found.due_at, found.log, &*found.name)).collect();
    assert_eq!(found, expected);
    let next = world.store.reader().next_deadline().await.unwrap();
    assert_eq!((next.first, next.next), (Some(first), Some(later)));
    assert!(next.now > second && next.now < later);
}

#[tokio::test]
async fn deadlines_change_only_with_an_event_at_the_expected_tip() {
    let world = World::create().await;
    let log = world.log.clone();
    let mut alone = world.batch(log.key()).await;
    let mut late = world.batch(log.key()).await;
    alone.push_deadline(set("a", soon()));
    let error = world.store.append(&alone, TIMEOUT).await.unwrap_err();
    assert!(!error.retryable(), "{error:?}");
    append(&world, log.key(), vec![]).await;
    late.push_event(meaningless_event());
    late.push_deadline(set("a", soon()));
    assert_eq!(world.store.append(&late, TIMEOUT).await.unwrap(), Appended::TipMoved);
    assert!(deadlines(&world).await.is_empty());
}
