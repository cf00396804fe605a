//! Deadlines that cannot be met now are met later, and do not delay others.

use std::time::Duration;

use crate::theatre::{CURSED, Command, Theatre, deadline_name};
use crate::world::{DeadlineWorker, World, submission, summary, tuning};
use crate::world::{new_id, now};
use chrono::TimeDelta;
use recount_core::Environment;
use recount_core::LogName;
use recount_test_support::eventually;
use recount_writer::deadlines::Pace;
use recount_writer::{CommandEngine, Tuning};

use super::{
    NEVER, TIMEOUT, append, close, deadlines, history, long_ago, names, outcomes, quick, reserve_until, set,
    wait_until_none_is_left,
};
use crate::{announce, reserve};

#[tokio::test]
async fn a_rejected_command_delays_no_other_and_is_retried_until_it_succeeds() {
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
    eventually(TIMEOUT, "the deadline of Faust is met", async || names(&world).await == ["seat:Hamlet:1"])
        .await;
    eventually(TIMEOUT, "the rejection is recorded", async || outcomes(&world).await == 2).await;
    engine.submit(&log, submission(vec![Command::Open { show: "Hamlet".to_owned() }])).await.unwrap();
    wait_until_none_is_left(&world).await;
    worker.stop().await;
    assert_eq!(history(&world).await[5..], ["lapsed", "opened", "lapsed"]);
}

#[tokio::test]
async fn a_rejected_command_is_retried_after_a_restart() {
    let world = World::create().await;
    let log = world.log.clone();
    let before: CommandEngine<Theatre> = world.engine(tuning());
    let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago()), close("Hamlet")];
    before.submit(&log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&before, Pace { poll: NEVER, retry_first: NEVER, ..Pace::default() });
    eventually(TIMEOUT, "the rejection is recorded", async || outcomes(&world).await == 1).await;
    worker.stop().await;
    before.stop().await;
    let after: CommandEngine<Theatre> = world.engine(tuning());
    after.submit(&log, submission(vec![Command::Open { show: "Hamlet".to_owned() }])).await.unwrap();
    let worker = DeadlineWorker::start(&after, quick());
    wait_until_none_is_left(&world).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_process_with_a_fast_clock_expires_nothing_and_moves_no_time() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let much_later = now() + TimeDelta::hours(1);
    let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", much_later)];
    engine.submit(&world.log, submission(commands)).await.unwrap();
    // A process that lives in the year 2099, with a deadline worker and commands of its own.
    let ahead = Environment::new(|| "2099-01-01T00:00:00Z".parse().unwrap(), new_id);
    let wrong: CommandEngine<Theatre> =
        world.engine_at(ahead, Tuning { command_timeout: Duration::from_secs(1), ..tuning() });
    let worker = DeadlineWorker::start(&wrong, quick());
    let refused = wrong.submit(&world.log, submission(vec![reserve("Hamlet", "b")])).await;
    assert_eq!(summary(&refused), "ClockAhead");
    worker.stop().await;
    assert_eq!(names(&world).await, [deadline_name("Hamlet", 1)]);
    // The others go on in their own time.
    engine.submit(&world.log, submission(vec![reserve("Hamlet", "b")])).await.unwrap();
    let events = world.events().await;
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.recorded_at < much_later));
}

#[tokio::test]
async fn names_that_the_domain_does_not_know_stay_and_delay_no_other() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    // More than one look reads, and all of them before the deadline that can be met.
    let earlier = long_ago() - TimeDelta::days(1);
    let unknown: Vec<String> = (0..17_000).map(|n| format!("of a newer program {n}")).collect();
    append(&world, log.key(), unknown.iter().map(|name| set(name, earlier)).collect()).await;
    let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago())];
    engine.submit(&log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&engine, quick());
    eventually(TIMEOUT, "the other deadline is met", async || {
        history(&world).await.last().unwrap() == "lapsed"
    })
    .await;
    worker.stop().await;
    assert_eq!(deadlines(&world).await.len(), unknown.len());
}

#[tokio::test]
async fn a_command_that_panics_delays_no_other_in_its_log() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    // One panics when its command is created, the other when it is decided. After them come more deadlines than are
    // submitted at the same time.
    let cursed = [CURSED.to_owned(), deadline_name(CURSED, 1)];
    let earlier = long_ago() - TimeDelta::days(1);
    append(&world, log.key(), cursed.iter().map(|name| set(name, earlier)).collect()).await;
    let mut commands = vec![announce("Hamlet", 300)];
    commands.extend((0..300).map(|n| reserve_until("Hamlet", &format!("g{n}"), long_ago())));
    engine.submit(&log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&engine, quick());
    eventually(TIMEOUT, "all other deadlines are met", async || names(&world).await == cursed).await;
    worker.stop().await;
    assert_eq!(history(&world).await.iter().filter(|event| *event == "lapsed").count(), 300);
}

#[tokio::test]
async fn a_log_that_hangs_delays_no_other_log_and_the_worker_stops_at_once() {
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
    eventually(TIMEOUT, "the deadline of the other log is met", async || deadlines(&world).await.len() == 1)
        .await;
    assert_eq!(deadlines(&world).await[0].log, world.log.key());
    tokio::time::timeout(TIMEOUT, worker.stop()).await.expect("the worker stops at once");
    blocker.rollback().await.unwrap();
    // The command that it had submitted is finished.
    wait_until_none_is_left(&world).await;
}
