//! What cannot be done now is done later, and keeps nobody waiting.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::theatre::{CURSED, Command, Theatre, deadline_name};
use crate::world::{DeadlineWorker, World, submission, tuning};
use crate::world::{new_id, now};
use chrono::{DateTime, TimeDelta, Utc};
use recount_core::Environment;
use recount_core::LogName;
use recount_test_support::eventually;
use recount_writer::deadlines::Pace;
use recount_writer::{CommandEngine, Tuning};

use super::{
    BOUND, NEVER, append, close, deadlines, history, long_ago, names, none_is_left, outcomes, quick,
    reserve_until, set,
};
use crate::announce;

#[tokio::test]
async fn a_command_that_is_rejected_keeps_nobody_waiting_and_is_tried_until_it_succeeds() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    let commands = vec![
        announce("Hamlet", 9),
        announce("Faust", 9),
        reserve_until("Hamlet", "a", long_ago()),
        reserve_until("Faust", "a", long_ago() + TimeDelta::days(1)),
        close("Hamlet"),
    ];
    engine.submit(&log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&engine, quick());
    eventually(BOUND, "Faust's is done", async || names(&world).await == ["seat:Hamlet:1"]).await;
    eventually(BOUND, "the rejection is recorded", async || outcomes(&world).await == 2).await;
    engine.submit(&log, submission(vec![Command::Open { show: "Hamlet".to_owned() }])).await.unwrap();
    none_is_left(&world).await;
    worker.stop().await;
    assert_eq!(history(&world).await[5..], ["lapsed", "opened", "lapsed"]);
}

#[tokio::test]
async fn a_rejection_that_was_recorded_before_a_restart_does_not_count_after_it() {
    let world = World::create().await;
    let log = world.log.clone();
    let before: CommandEngine<Theatre> = world.engine(tuning());
    let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago()), close("Hamlet")];
    before.submit(&log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&before, Pace { poll: NEVER, retry_first: NEVER, ..Pace::default() });
    eventually(BOUND, "the rejection is recorded", async || outcomes(&world).await == 1).await;
    worker.stop().await;
    before.stop().await;
    let after: CommandEngine<Theatre> = world.engine(tuning());
    after.submit(&log, submission(vec![Command::Open { show: "Hamlet".to_owned() }])).await.unwrap();
    let worker = DeadlineWorker::start(&after, quick());
    none_is_left(&world).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_whose_clock_is_ahead_tries_until_the_time_has_come() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let (until, much_later) = (now() + TimeDelta::seconds(2), now() + TimeDelta::hours(1));
    let commands = vec![
        announce("Hamlet", 9),
        reserve_until("Hamlet", "a", until),
        reserve_until("Hamlet", "b", much_later),
    ];
    engine.submit(&world.log, submission(commands)).await.unwrap();
    let ahead = Environment::new(|| now() + TimeDelta::hours(2), new_id);
    let worker = DeadlineWorker::start_at(&engine, ahead, quick());
    let later = [deadline_name("Hamlet", 2)];
    eventually(BOUND, "what was first is done", async || names(&world).await == later).await;
    eventually(BOUND, "that there is nothing to do is recorded", async || outcomes(&world).await == 2).await;
    worker.stop().await;
    assert_eq!(names(&world).await, later);
    let events = world.events().await;
    assert_eq!(events.len(), 4);
    assert!(events[3].recorded_at >= until);
}

#[tokio::test]
async fn names_that_the_domain_does_not_know_stay_and_keep_nobody_waiting() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    // More of them than a look goes through, and all before the one that can be done.
    let earlier = long_ago() - TimeDelta::days(1);
    let unknown: Vec<String> = (0..17_000).map(|n| format!("of a newer program {n}")).collect();
    append(&world, log.key(), unknown.iter().map(|name| set(name, earlier)).collect()).await;
    let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago())];
    engine.submit(&log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&engine, quick());
    eventually(BOUND, "the other is done", async || history(&world).await.last().unwrap() == "lapsed").await;
    worker.stop().await;
    assert_eq!(deadlines(&world).await.len(), unknown.len());
}

#[tokio::test]
async fn a_command_that_panics_keeps_nobody_waiting_in_its_log() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    // One of them when its command is made, the other when it is decided; and more behind them than go in at a time.
    let cursed = [CURSED.to_owned(), deadline_name(CURSED, 1)];
    let earlier = long_ago() - TimeDelta::days(1);
    append(&world, log.key(), cursed.iter().map(|name| set(name, earlier)).collect()).await;
    let mut commands = vec![announce("Hamlet", 300)];
    commands.extend((0..300).map(|n| reserve_until("Hamlet", &format!("g{n}"), long_ago())));
    engine.submit(&log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&engine, quick());
    eventually(BOUND, "all others are done", async || names(&world).await == cursed).await;
    worker.stop().await;
    assert_eq!(history(&world).await.iter().filter(|event| *event == "lapsed").count(), 300);
}

#[tokio::test]
async fn a_worker_that_panics_is_started_again() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    fn clock_with_a_start() -> DateTime<Utc> {
        assert_ne!(CALLS.fetch_add(1, Ordering::SeqCst), 0, "the first look goes wrong");
        now()
    }
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago())];
    engine.submit(&world.log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start_at(&engine, Environment::new(clock_with_a_start, new_id), quick());
    none_is_left(&world).await;
    worker.stop().await;
    assert!(CALLS.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn a_log_that_hangs_keeps_the_others_not_waiting_and_the_worker_stops_at_once() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { command_timeout: NEVER, ..Tuning::default() });
    let other: LogName = "other".parse().unwrap();
    world.store.create_log(&other).await.unwrap();
    for log in [&world.log, &other] {
        let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago())];
        engine.submit(log, submission(commands)).await.unwrap();
    }
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("select from store.logs where log = $1 for update")
        .bind(world.log.key().0)
        .execute(&mut *blocker)
        .await
        .unwrap();
    let worker = DeadlineWorker::start(&engine, quick());
    eventually(BOUND, "the other log's is done", async || deadlines(&world).await.len() == 1).await;
    assert_eq!(deadlines(&world).await[0].log, world.log.key());
    tokio::time::timeout(BOUND, worker.stop()).await.expect("it stops at once");
    blocker.rollback().await.unwrap();
    // What it had submitted is finished.
    none_is_left(&world).await;
}
