//! Dry runs: they return the events that would happen, and change nothing.

use std::time::Duration;

use crate::theatre::{Command, Theatre};
use crate::world::{World, dry_run, keyed, submission, summary, tuning};
use recount_writer::{CommandEngine, Events, Outcome, Submission, SubmissionOutcome, SubmitError, Tuning};
use serde_json::{Value, json};

use crate::{announce, reserve, submit_until_done};

fn dry(submission: Submission<Command>) -> Submission<Command> {
    Submission { dry_run: true, ..submission }
}

fn json(outcome: &SubmissionOutcome) -> Value {
    serde_json::to_value(outcome).unwrap()
}

/// The codes of the rejections among the outcomes, and for each acceptance the data of its events.
fn each(outcome: &SubmissionOutcome) -> Vec<String> {
    let one = |outcome: &Outcome| match outcome {
        Outcome::Accepted(accepted) => match &accepted.events {
            Events::WouldHappen(events) => events.iter().map(|event| event.data.get()).collect(),
            Events::Happened(events) => format!("{} happened", events.len()),
        },
        Outcome::Rejected(refusal) => refusal.code.clone(),
    };
    outcome.outcomes.iter().map(one).collect()
}

fn reserved(show: &str, guest: &str, seat: u32) -> String {
    format!(r#"{{"what":"reserved","show":"{show}","guest":"{guest}","seat":{seat}}}"#)
}

#[tokio::test]
async fn a_dry_run_returns_events_and_effects_and_changes_nothing() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 2)])).await.unwrap();
    let outcome = engine.submit(&log, dry_run(vec![reserve("Hamlet", "a")])).await.unwrap();
    let event = json!({
        "type": "reserved",
        "version": 1,
        "data": {"what": "reserved", "show": "Hamlet", "guest": "a", "seat": 1},
    });
    let accepted = json!({
        "position": 1,
        "events": [event],
        "dry_run": true,
        "show:Hamlet": [2, 1],
        "guest:a": [null, "Hamlet"],
    });
    assert_eq!(json(&outcome), json!({"position": 1, "outcomes": [{"accepted": accepted}]}));
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn a_dry_run_returns_the_events_that_the_command_then_records() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 1)])).await.unwrap();
    let first = engine.submit(&log, dry_run(vec![reserve("Hamlet", "a")])).await.unwrap();
    let second = engine.submit(&log, dry_run(vec![reserve("Hamlet", "a")])).await.unwrap();
    assert_eq!(first, second);
    let real = engine.submit(&log, submission(vec![reserve("Hamlet", "a")])).await;
    assert_eq!(summary(&real), "1 events");
    let events = world.events().await;
    assert_eq!(each(&first), [events[1].data.clone()]);
    let late = engine.submit(&log, dry_run(vec![reserve("Hamlet", "b")])).await;
    assert_eq!(summary(&late), "sold-out");
}

#[tokio::test]
async fn a_dry_run_of_an_effect_that_holds_already_returns_no_events() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 1)])).await.unwrap();
    let outcome = engine.submit(&log, dry_run(vec![announce("Hamlet", 1)])).await.unwrap();
    let accepted = json!({"position": 1, "events": [], "dry_run": true});
    assert_eq!(json(&outcome)["outcomes"], json!([{"accepted": accepted}]));
}

#[tokio::test]
async fn in_a_batch_a_dry_run_sees_earlier_commands_and_later_ones_do_not_see_it() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 2)])).await.unwrap();
    let (before, dry, after) = tokio::join!(
        engine.submit(&log, submission(vec![reserve("Hamlet", "a")])),
        engine.submit(&log, dry_run(vec![reserve("Hamlet", "b")])),
        engine.submit(&log, submission(vec![reserve("Hamlet", "c")])),
    );
    assert_eq!((summary(&before), summary(&after)), ("1 events".to_owned(), "1 events".to_owned()));
    let dry = dry.unwrap();
    assert_eq!((dry.position.0, each(&dry)), (2, vec![reserved("Hamlet", "b", 2)]));
    let events = world.events().await;
    assert_eq!(events[2].data, reserved("Hamlet", "c", 2));
    assert_eq!(events.len(), 3);
}

#[tokio::test]
async fn a_command_of_a_dry_run_sees_the_effects_of_those_before_it() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    let commands =
        || vec![announce("Hamlet", 1), reserve("Hamlet", "a"), reserve("Hamlet", "b"), announce("Faust", 1)];
    let independent = engine.submit(&log, dry_run(commands())).await.unwrap();
    assert_eq!(independent.failed, None);
    assert_eq!(each(&independent)[1..3], [reserved("Hamlet", "a", 1), "sold-out".to_owned()]);
    assert_eq!(json(&independent)["outcomes"][1]["accepted"]["show:Hamlet"], json!([1, 0]));
    let atomic =
        engine.submit(&log, Submission { atomic: true, ..dry_run(commands()[..2].to_vec()) }).await.unwrap();
    assert_eq!((atomic.failed, atomic.outcomes.len(), atomic.position.0), (None, 2, 0));
    assert!(world.events().await.is_empty());
    let real = engine.submit(&log, submission(vec![reserve("Hamlet", "a")])).await;
    assert_eq!(summary(&real), "no-show");
}

#[tokio::test]
async fn an_atomic_dry_run_that_fails_names_the_command() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    let commands = vec![announce("Hamlet", 1), reserve("Hamlet", "a"), reserve("Hamlet", "b")];
    let outcome = engine.submit(&log, Submission { atomic: true, ..dry_run(commands) }).await.unwrap();
    assert_eq!((outcome.failed, each(&outcome)), (Some(2), vec!["sold-out".to_owned()]));
    assert!(world.events().await.is_empty());
    let real = engine.submit(&log, submission(vec![announce("Hamlet", 7)])).await;
    assert_eq!(summary(&real), "1 events");
}

#[tokio::test]
async fn the_explanation_finds_entities_that_the_decision_did_not_read() {
    let world = World::create().await;
    let log = world.log.clone();
    let before: CommandEngine<Theatre> = world.engine(tuning());
    let commands =
        vec![announce("Hamlet", 9), announce("Faust", 9), reserve("Hamlet", "a"), reserve("Hamlet", "b")];
    before.submit(&log, submission(commands)).await.unwrap();
    let guests = |outcome: &SubmissionOutcome| -> Vec<Value> {
        let outcomes = json(outcome)["outcomes"].as_array().unwrap().clone();
        outcomes
            .iter()
            .zip(["a", "b"])
            .map(|(one, guest)| one["accepted"][format!("guest:{guest}")].clone())
            .collect()
    };
    let both = || dry_run(vec![reserve("Faust", "a"), reserve("Faust", "b")]);
    // This engine has none of the entities in memory.
    let cold: CommandEngine<Theatre> = world.engine(tuning());
    let outcome = cold.submit(&log, both()).await.unwrap();
    assert_eq!(guests(&outcome), [json!(["Hamlet", "Faust"]), json!(["Hamlet", "Faust"])]);
    // An earlier submission of the batch concerns a guest that neither of them reads.
    let cold: CommandEngine<Theatre> = world.engine(tuning());
    let (real, outcome) =
        tokio::join!(cold.submit(&log, submission(vec![reserve("Faust", "b")])), cold.submit(&log, both()));
    assert_eq!(summary(&real), "1 events");
    assert_eq!(guests(&outcome.unwrap()), [json!(["Hamlet", "Faust"]), json!(["Faust", "Faust"])]);
}

#[tokio::test]
async fn the_explanation_finds_an_entity_that_is_new_in_the_same_batch() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    engine.submit(&log, submission(vec![announce("Hamlet", 99), announce("Faust", 99)])).await.unwrap();
    // At first the writer does not know which tags are new; later it has read the history.
    for n in 0..30 {
        let guest = format!("g{n}");
        let (real, outcome) = tokio::join!(
            engine.submit(&log, submission(vec![reserve("Hamlet", &guest)])),
            engine.submit(&log, dry_run(vec![reserve("Faust", &guest)])),
        );
        assert_eq!(summary(&real), "1 events");
        let explained = &json(&outcome.unwrap())["outcomes"][0]["accepted"];
        assert_eq!(explained[format!("guest:{guest}")], json!(["Hamlet", "Faust"]));
    }
}

#[tokio::test]
async fn a_dry_run_does_not_split_a_batch_if_its_entities_are_in_memory() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let commands = vec![announce("Hamlet", 9), announce("Faust", 9), reserve("Hamlet", "b")];
    engine.submit(&log, submission(commands)).await.unwrap();
    // This brings the guest into memory.
    let follow = Command::Follow { guest: "b".to_owned(), show: "x".to_owned() };
    engine.submit(&log, submission(vec![follow])).await.unwrap();
    let (before, dry, after) = tokio::join!(
        engine.submit(&log, submission(vec![reserve("Hamlet", "a")])),
        engine.submit(&log, dry_run(vec![reserve("Faust", "b")])),
        engine.submit(&log, submission(vec![reserve("Hamlet", "c")])),
    );
    assert_eq!((summary(&before), summary(&after)), ("1 events".to_owned(), "1 events".to_owned()));
    let explained = &json(&dry.unwrap())["outcomes"][0]["accepted"];
    assert_eq!(explained["guest:b"], json!(["Hamlet", "Faust"]));
    let events = world.events().await;
    assert_eq!(events[4].recorded_at, events[5].recorded_at);
}

#[tokio::test]
async fn a_dry_run_with_a_key_returns_the_recorded_outcome_and_records_nothing() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 2)])).await.unwrap();
    for _ in 0..2 {
        let outcome = engine.submit(&log, dry(keyed(reserve("Hamlet", "a"), "k1"))).await.unwrap();
        assert_eq!(each(&outcome), [reserved("Hamlet", "a", 1)]);
    }
    // Another request with this key is accepted, because a dry run does not use the key.
    let real = engine.submit(&log, keyed(reserve("Hamlet", "b"), "k1")).await.unwrap();
    assert_eq!(each(&real), ["1 happened"]);
    let repeat = engine.submit(&log, dry(keyed(reserve("Hamlet", "b"), "k1"))).await.unwrap();
    assert_eq!(repeat, real);
    let reused = engine.submit(&log, dry(keyed(reserve("Hamlet", "a"), "k1"))).await;
    assert_eq!(reused.unwrap_err(), SubmitError::KeyReused);
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn of_a_dry_run_and_a_command_with_one_key_only_the_command_is_recorded() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 2)])).await.unwrap();
    let command = || keyed(reserve("Hamlet", "a"), "k1");
    let (first, real, last) = tokio::join!(
        engine.submit(&log, dry(command())),
        engine.submit(&log, command()),
        engine.submit(&log, dry(command())),
    );
    assert_eq!(each(&first.unwrap()), [reserved("Hamlet", "a", 1)]);
    let real = real.unwrap();
    assert_eq!(each(&real), ["1 happened"]);
    assert_eq!(last.unwrap(), real);
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn a_dry_run_finds_an_outcome_that_another_process_recorded() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let log = world.log.clone();
    // Both writers are running, and have read the empty log.
    for engine in &engines {
        assert_eq!(summary(&engine.submit(&log, submission(vec![reserve("Hamlet", "a")])).await), "no-show");
    }
    assert_eq!(summary(&engines[0].submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await), "no-show");
    engines[1].submit(&log, submission(vec![announce("Hamlet", 1)])).await.unwrap();
    let repeat = engines[1].submit(&log, dry(keyed(reserve("Hamlet", "a"), "k1"))).await;
    assert_eq!(summary(&repeat), "no-show");
}

#[tokio::test]
async fn a_dry_run_sees_the_events_of_other_processes() {
    let world = World::create().await;
    let engines: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let log = world.log.clone();
    engines[0].submit(&log, submission(vec![announce("Hamlet", 2)])).await.unwrap();
    let first = engines[1].submit(&log, dry_run(vec![reserve("Hamlet", "b")])).await.unwrap();
    assert_eq!(each(&first), [reserved("Hamlet", "b", 1)]);
    engines[0].submit(&log, submission(vec![reserve("Hamlet", "a")])).await.unwrap();
    // The memory of the second process is outdated, but its answer is not.
    let second = engines[1].submit(&log, dry_run(vec![reserve("Hamlet", "b")])).await.unwrap();
    assert_eq!((second.position.0, each(&second)), (2, vec![reserved("Hamlet", "b", 2)]));
}

#[tokio::test]
async fn a_dry_run_is_unavailable_while_the_store_is_away() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> =
        world.engine(Tuning { command_timeout: Duration::from_secs(3), ..Tuning::default() });
    let log = world.log.clone();
    submit_until_done(&engine, &log, announce("Hamlet", 9)).await;
    // The statement hangs, and times out before the callers do.
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("select from store.logs for update").execute(&mut *blocker).await.unwrap();
    let (real, dry) = tokio::join!(
        engine.submit(&log, submission(vec![reserve("Hamlet", "a")])),
        engine.submit(&log, dry_run(vec![announce("Faust", 1)])),
    );
    assert_eq!((summary(&real), summary(&dry)), ("OutcomeUnknown".to_owned(), "Unavailable".to_owned()));
    blocker.rollback().await.unwrap();
}
