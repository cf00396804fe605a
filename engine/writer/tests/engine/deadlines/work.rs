//! Deadlines that fall due are met.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::theatre::{Command, Theatre, deadline_name};
use crate::world::{DeadlineWorker, World, environment, submission, summary, tuning};
use chrono::TimeDelta;
use recount_core::{LogName, Position};
use recount_store::LogWriter;
use recount_test_support::eventually;
use recount_writer::deadlines::Pace;
use recount_writer::{CommandEngine, Outcome};

use super::{
    NEVER, TIMEOUT, confirm, deadlines, history, long_ago, names, quick, reserve_until, soon,
    wait_until_none_is_left,
};
use crate::{announce, reserve};

#[tokio::test]
async fn a_reservation_lapses_once_and_its_seat_is_free_again() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let worker = DeadlineWorker::start(&engine, Pace::default());
    let log = world.log.clone();
    let until = soon();
    let commands = vec![announce("Hamlet", 1), reserve_until("Hamlet", "a", until), reserve("Hamlet", "b")];
    let outcome = engine.submit(&log, submission(commands)).await.unwrap();
    assert!(matches!(&outcome.outcomes[2], Outcome::Rejected(refusal) if refusal.code == "sold-out"));
    wait_until_none_is_left(&world).await;
    worker.stop().await;
    let events = world.events().await;
    assert_eq!(history(&world).await, ["announced", "reserved", "lapsed"]);
    assert_eq!(events[2].meta, r#"{"actor":"recount:deadlines"}"#);
    assert!(events[2].recorded_at >= until);
    assert_eq!(summary(&engine.submit(&log, submission(vec![reserve("Hamlet", "b")])).await), "1 events");
}

#[tokio::test]
async fn a_confirmed_reservation_never_lapses() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    let until = soon();
    let reservations =
        vec![announce("Hamlet", 2), reserve_until("Hamlet", "a", until), reserve_until("Hamlet", "b", until)];
    engine.submit(&log, submission(reservations)).await.unwrap();
    assert_eq!(summary(&engine.submit(&log, submission(vec![confirm("Hamlet", 1)])).await), "1 events");
    assert_eq!(names(&world).await, [deadline_name("Hamlet", 2)]);
    let worker = DeadlineWorker::start(&engine, quick());
    wait_until_none_is_left(&world).await;
    worker.stop().await;
    // Not even if a caller submits the command.
    let lapse = Command::Lapse { show: "Hamlet".to_owned(), seat: 1 };
    assert_eq!(summary(&engine.submit(&log, submission(vec![lapse])).await), "0 events");
    assert_eq!(history(&world).await, ["announced", "reserved", "reserved", "confirmed", "lapsed"]);
}

#[tokio::test]
async fn deadlines_that_fell_due_during_a_stop_are_met_at_the_start() {
    let world = World::create().await;
    let log = world.log.clone();
    let before: CommandEngine<Theatre> = world.engine(tuning());
    let worker = DeadlineWorker::start(&before, quick());
    before.submit(&log, submission(vec![announce("Hamlet", 9)])).await.unwrap();
    worker.stop().await;
    before.submit(&log, submission(vec![reserve_until("Hamlet", "a", long_ago())])).await.unwrap();
    before.stop().await;
    let after: CommandEngine<Theatre> = world.engine(tuning());
    let worker = DeadlineWorker::start(&after, Pace { poll: NEVER, ..quick() });
    wait_until_none_is_left(&world).await;
    worker.stop().await;
    assert_eq!(history(&world).await, ["announced", "reserved", "lapsed"]);
}

#[tokio::test]
async fn the_worker_wakes_up_when_the_next_deadline_falls_due() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let commands = vec![
        announce("Hamlet", 9),
        reserve_until("Hamlet", "a", soon()),
        reserve_until("Hamlet", "b", soon() + TimeDelta::milliseconds(300)),
    ];
    engine.submit(&world.log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&engine, Pace { poll: NEVER, ..quick() });
    wait_until_none_is_left(&world).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_process_leaves_the_deadlines_of_another_writer_until_its_head_start_is_over() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let other: LogName = "other".parse().unwrap();
    world.store.create_log(&other).await.unwrap();
    let logs = [world.log.clone(), other];
    for (engine, (log, days)) in engines.iter().zip([(&logs[0], 0), (&logs[1], 1)]) {
        let commands =
            vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago() + TimeDelta::days(days))];
        engine.submit(log, submission(commands)).await.unwrap();
    }
    assert_eq!([engines[1].has_writer(&logs[0]), engines[1].has_writer(&logs[1])], [false, true]);
    // Longer than the deadlines have been due.
    let head_start = Duration::from_secs(1_000 * 86_400);
    let worker = DeadlineWorker::start(&engines[1], Pace { head_start, ..quick() });
    eventually(TIMEOUT, "the deadline of its own log is met", async || deadlines(&world).await.len() == 1)
        .await;
    worker.stop().await;
    // The deadline that is left fell due first.
    assert_eq!(deadlines(&world).await[0].log_name, logs[0]);
    assert!(!engines[1].has_writer(&logs[0]));
    let worker = DeadlineWorker::start(&engines[1], Pace { poll: NEVER, ..Pace::default() });
    wait_until_none_is_left(&world).await;
    worker.stop().await;
}

#[tokio::test]
async fn deadlines_of_a_log_without_a_writer_are_met_after_the_head_start() {
    let world = World::create().await;
    let before: CommandEngine<Theatre> = world.engine(tuning());
    let commands = vec![announce("Hamlet", 1), reserve_until("Hamlet", "a", soon())];
    before.submit(&world.log, submission(commands)).await.unwrap();
    before.stop().await;
    let after: CommandEngine<Theatre> = world.engine(tuning());
    let worker = DeadlineWorker::start(&after, Pace { poll: NEVER, ..Pace::default() });
    wait_until_none_is_left(&world).await;
    worker.stop().await;
}

#[tokio::test]
async fn two_processes_let_each_of_many_reservations_lapse_once() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let mut logs = vec![world.log.clone()];
    for name in ["east", "west"] {
        let log: LogName = name.parse().unwrap();
        world.store.create_log(&log).await.unwrap();
        logs.push(log);
    }
    for log in &logs {
        let mut commands = vec![announce("Hamlet", 100)];
        commands.extend((0..100).map(|n| reserve_until("Hamlet", &format!("g{n}"), long_ago())));
        engines[0].submit(log, submission(commands)).await.unwrap();
    }
    let workers = engines.each_ref().map(|engine| DeadlineWorker::start(engine, quick()));
    wait_until_none_is_left(&world).await;
    for worker in workers {
        worker.stop().await;
    }
    for engine in &engines {
        engine.stop().await;
    }
    for log in logs {
        let events = world.store.reader().read(log.key(), Position::START, 1_000).await.unwrap();
        let lapsed: Vec<&str> =
            events.iter().filter(|event| event.event_type == "lapsed").map(|event| &*event.data).collect();
        let seats: BTreeSet<&&str> = lapsed.iter().collect();
        assert_eq!((lapsed.len(), seats.len(), events.len()), (100, 100, 201));
    }
}

#[tokio::test]
async fn a_backlog_of_several_turns_is_worked_off() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    for show in 0..60 {
        let show = format!("show {show}");
        let mut commands = vec![announce(&show, 80)];
        commands.extend((0..80).map(|n| reserve_until(&show, &format!("g{n}"), long_ago())));
        engine.submit(&log, submission(commands)).await.unwrap();
    }
    assert_eq!(deadlines(&world).await.len(), 4_800);
    let worker = DeadlineWorker::start(&engine, quick());
    wait_until_none_is_left(&world).await;
    worker.stop().await;
    let lapsed = history(&world).await.iter().filter(|event| *event == "lapsed").count();
    assert_eq!(lapsed, 4_800);
}

#[tokio::test]
async fn the_service_role_has_the_rights_that_deadlines_need() {
    let world = World::create().await;
    let as_service = sqlx::postgres::PgPoolOptions::new()
        .max_connections(5)
        .after_connect(|connection, _| {
            Box::pin(
                async move { sqlx::query("set role recount_service").execute(connection).await.map(|_| ()) },
            )
        })
        .connect(world.database.url())
        .await
        .unwrap();
    let engine: CommandEngine<Theatre> =
        CommandEngine::start(LogWriter::new(as_service), environment(), tuning());
    let commands = vec![announce("Hamlet", 9), reserve_until("Hamlet", "a", long_ago())];
    engine.submit(&world.log, submission(commands)).await.unwrap();
    let worker = DeadlineWorker::start(&engine, quick());
    wait_until_none_is_left(&world).await;
    worker.stop().await;
}
