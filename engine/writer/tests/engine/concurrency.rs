//! Many callers and several processes on one log.

use crate::theatre::{Command, Theatre};
use crate::world::{World, submission, summary, tuning};
use recount_writer::{CommandEngine, Outcome, Submission, SubmitError, Tuning};
use tokio::task::JoinSet;

use crate::{announce, reserve};

#[tokio::test]
async fn commands_of_many_callers_are_decided_one_after_another() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    engine.submit(&world.log, submission(vec![announce("Hamlet", 60)])).await.unwrap();
    let mut callers = JoinSet::new();
    for n in 0..100 {
        let (engine, log) = (engine.clone(), world.log.clone());
        callers.spawn(async move {
            summary(&engine.submit(&log, submission(vec![reserve("Hamlet", &format!("g{n}"))])).await)
        });
    }
    let answers = callers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| *answer == "1 events").count(), 60);
    assert_eq!(answers.iter().filter(|answer| *answer == "sold-out").count(), 40);
    assert_eq!(world.events().await.len(), 61);
}

#[tokio::test]
async fn two_processes_on_one_log_sell_every_seat_once() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    engines[0].submit(&world.log, submission(vec![announce("Hamlet", 300)])).await.unwrap();
    let mut callers = JoinSet::new();
    for n in 0..400 {
        let (engine, log) = (engines[n % 2].clone(), world.log.clone());
        callers.spawn(async move {
            summary(&engine.submit(&log, submission(vec![reserve("Hamlet", &format!("g{n}"))])).await)
        });
    }
    let answers = callers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| *answer == "1 events").count(), 300);
    assert_eq!(answers.iter().filter(|answer| *answer == "sold-out").count(), 100);
    let mut seats: Vec<u64> = Vec::new();
    for event in world.events().await {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        seats.extend(data["seat"].as_u64());
    }
    assert_eq!(seats, (1..=300).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_decision_sees_the_events_of_other_processes() {
    let world = World::create().await;
    let one: CommandEngine<Theatre> = world.engine(tuning());
    let other: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    assert_eq!(summary(&one.submit(&log, submission(vec![reserve("Hamlet", "g")])).await), "no-show");
    assert_eq!(summary(&other.submit(&log, submission(vec![announce("Hamlet", 1)])).await), "1 events");
    // The memory of the first process is outdated, but its answer is not.
    assert_eq!(summary(&one.submit(&log, submission(vec![reserve("Hamlet", "g")])).await), "1 events");
}

#[tokio::test]
async fn an_atomic_submission_happens_whole_or_not_at_all() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    let atomic = |commands| Submission { atomic: true, ..submission(commands) };
    let failed = engine
        .submit(&log, atomic(vec![announce("Hamlet", 1), reserve("Hamlet", "a"), reserve("Hamlet", "b")]))
        .await;
    assert_eq!(failed.as_ref().unwrap().failed, Some(2));
    assert_eq!(summary(&failed), "sold-out");
    assert!(world.events().await.is_empty());
    let succeeded =
        engine.submit(&log, atomic(vec![announce("Hamlet", 1), reserve("Hamlet", "a")])).await.unwrap();
    assert_eq!((succeeded.outcomes.len(), succeeded.position.0), (2, 2));
}

#[tokio::test]
async fn a_command_sees_the_effects_of_earlier_ones_in_its_submission() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let commands =
        vec![reserve("Hamlet", "a"), announce("Hamlet", 1), reserve("Hamlet", "b"), reserve("Hamlet", "c")];
    let outcome = engine.submit(&world.log, submission(commands)).await.unwrap();
    let accepted: Vec<bool> =
        outcome.outcomes.iter().map(|outcome| matches!(outcome, Outcome::Accepted(_))).collect();
    assert_eq!(accepted, [false, true, true, false]);
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn a_command_may_read_an_entity_that_another_entity_names() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let prepare =
        vec![announce("Hamlet", 9), announce("Faust", 9), reserve("Hamlet", "ann"), reserve("Faust", "ben")];
    engine.submit(&log, submission(prepare)).await.unwrap();
    let follow =
        |guest: &str, friend: &str| Command::Follow { guest: guest.to_owned(), show: friend.to_owned() };
    // This engine has nothing in memory: it loads the guest, and then the show that the guest went to.
    let cold: CommandEngine<Theatre> = world.engine(tuning());
    assert_eq!(summary(&cold.submit(&log, submission(vec![follow("ann", "friend")])).await), "1 events");
    // In one batch the guest goes to another show first. That show was not loaded, so the second command is in the next
    // batch.
    let (moves, follows) = tokio::join!(
        cold.submit(&log, submission(vec![reserve("Faust", "ann")])),
        cold.submit(&log, submission(vec![follow("ann", "friend")]))
    );
    assert_eq!((summary(&moves), summary(&follows)), ("1 events".to_owned(), "1 events".to_owned()));
    assert_eq!(world.events().await.len(), 7);
}

#[tokio::test]
async fn a_command_may_read_an_entity_that_an_earlier_one_leads_to() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let shows: Vec<Command> = (0..20).map(|n| announce(&format!("s{n}"), 9)).collect();
    engine.submit(&log, submission(shows)).await.unwrap();
    let follow = |guest: &str| Command::Follow { guest: guest.to_owned(), show: "friend".to_owned() };
    for atomic in [false, true] {
        // The last shows of the guests are not known before the commands are decided, and no show is in memory.
        let cold: CommandEngine<Theatre> = world.engine(tuning());
        let mut commands: Vec<Command> =
            (0..20).map(|n| reserve(&format!("s{n}"), &format!("g{n}"))).collect();
        commands.extend((0..20).map(|n| follow(&format!("g{n}"))));
        let outcome = cold.submit(&log, Submission { atomic, ..submission(commands) }).await.unwrap();
        assert_eq!(outcome.outcomes.len(), 40);
        assert!(outcome.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))));
    }
}

#[tokio::test]
async fn a_submission_to_an_unknown_log_is_refused() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let nowhere: recount_core::LogName = "nowhere".parse().unwrap();
    let answer = engine.submit(&nowhere, submission(vec![announce("Hamlet", 1)])).await;
    assert_eq!(answer.unwrap_err(), SubmitError::LogUnknown);
}

#[tokio::test]
async fn a_submission_to_a_full_inbox_is_refused_at_once() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { inbox_submissions_max: 2, ..tuning() });
    let log = world.log.clone();
    // The head is locked, so no batch can be committed.
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("select from store.logs for update").execute(&mut *blocker).await.unwrap();
    let mut callers = JoinSet::new();
    for n in 0..20 {
        let (engine, log) = (engine.clone(), log.clone());
        callers.spawn(async move {
            summary(&engine.submit(&log, submission(vec![announce(&format!("s{n}"), 1)])).await)
        });
    }
    assert_eq!(callers.join_next().await.unwrap().unwrap(), "Busy");
    blocker.rollback().await.unwrap();
    let answers = callers.join_all().await;
    let succeeded = answers.iter().filter(|answer| *answer == "1 events").count();
    assert!(succeeded >= 2, "{answers:?}");
    assert_eq!(world.events().await.len(), succeeded);
}

#[tokio::test]
async fn an_engine_that_stops_finishes_waiting_submissions() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    let (answer, ()) = tokio::join!(engine.submit(&log, submission(vec![announce("Hamlet", 1)])), async {
        tokio::task::yield_now().await;
        engine.stop().await;
    });
    assert_eq!(summary(&answer), "1 events");
    let late = engine.submit(&log, submission(vec![announce("Faust", 1)])).await;
    assert_eq!(late.unwrap_err(), SubmitError::ShuttingDown);
}
