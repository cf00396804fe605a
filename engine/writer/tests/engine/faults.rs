//! Faults: an unreachable store, a connection that is lost during a commit, attempts to change the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::theatre::{Theatre, show_tag};
use crate::world::{World, environment, keyed, submission, summary, tuning};
use recount_postgres::{Database, Settings, Workload};
use recount_store::LogWriter;
use recount_test_support::eventually;
use recount_writer::{CommandEngine, Tuning};
use tokio::task::JoinSet;

use crate::{announce, reserve, submit_until_done};

/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Shorter than the timeout of a statement, and long enough to send it.
const SHORT_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn connections_that_break_under_load_lose_and_duplicate_nothing() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 1_000_000)])).await.unwrap();
    let mut callers = JoinSet::new();
    let broken = Arc::new(AtomicBool::new(false));
    for caller in 0..8 {
        let (engine, log, broken) = (engine.clone(), log.clone(), Arc::clone(&broken));
        callers.spawn(async move {
            let mut sold = 0;
            while sold < 50 || !broken.load(Ordering::Relaxed) {
                let key = format!("{caller}-{sold}");
                // As a client does: the same command with the same key until there is an outcome.
                while summary(&engine.submit(&log, keyed(reserve("Hamlet", &key), &key)).await) != "1 events"
                {
                }
                sold += 1;
            }
            sold
        });
    }
    let mut sold_by_all = 0;
    while !callers.is_empty() {
        let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid() and query like 'select store.append%'";
        let killed = sqlx::query_scalar::<_, i64>(kill).fetch_one(world.pool()).await.unwrap_or(0);
        broken.fetch_or(killed > 0, Ordering::Relaxed);
        if let Ok(Some(sold)) = tokio::time::timeout(Duration::from_millis(20), callers.join_next()).await {
            sold_by_all += sold.unwrap();
        }
    }
    assert!(sold_by_all >= 400);
    assert_eq!(world.events().await.len(), 1 + sold_by_all);
}

#[tokio::test]
async fn an_append_that_arrives_after_the_fence_was_raised_changes_nothing() {
    let world = World::create().await;
    let log = world.log.clone();
    let mut late = world.batch(log.key()).await;
    world.store.raise_fence(log.key()).await.unwrap();
    late.push_event(recount_core::NewEvent {
        id: "018f0000-0000-7000-8000-000000000000".parse().unwrap(),
        event_type: "announced",
        version: 1,
        tags: vec![],
        data: "{}".to_owned(),
        meta: "{}".into(),
    });
    let appended = world.store.append(&late, TIMEOUT).await.unwrap();
    assert_eq!(appended, recount_store::Appended::TipMoved);
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn an_unreadable_event_fails_only_commands_that_read_its_entities() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    engine.submit(&log, submission(vec![announce("Hamlet", 9), announce("Faust", 9)])).await.unwrap();
    // A newer program has appended an event that the running writer cannot read.
    let mut newer = world.batch(log.key()).await;
    newer.push_event(recount_core::NewEvent {
        id: "018f0000-0000-7000-8000-000000000001".parse().unwrap(),
        event_type: "renamed",
        version: 1,
        tags: vec![show_tag("Faust")],
        data: "{\"what\":\"renamed\"}".to_owned(),
        meta: "{}".into(),
    });
    let appended = world.store.append(&newer, TIMEOUT).await.unwrap();
    assert_eq!(appended, recount_store::Appended::Done);
    assert_eq!(summary(&engine.submit(&log, submission(vec![reserve("Hamlet", "a")])).await), "1 events");
    assert_eq!(summary(&engine.submit(&log, submission(vec![reserve("Faust", "a")])).await), "Internal");
    assert_eq!(summary(&engine.submit(&log, submission(vec![reserve("Hamlet", "b")])).await), "1 events");
}

#[tokio::test]
async fn the_log_cannot_be_changed_even_by_its_owner() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    engine.submit(&world.log, submission(vec![announce("Hamlet", 1)])).await.unwrap();
    for statement in [
        "update store.events set data = '{}'",
        "delete from store.events",
        "truncate store.events",
        "update store.event_tags set tag = 0",
        "delete from store.event_tags",
        "truncate store.event_tags",
    ] {
        let error = sqlx::query(statement).execute(world.pool()).await.expect_err(statement);
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        assert_eq!(code, "23001", "{statement}: {error}");
    }
}

#[tokio::test]
async fn the_service_role_can_append_and_nothing_else() {
    let world = World::create().await;
    let mut connection = world.pool().acquire().await.unwrap();
    sqlx::query("set role recount_service").execute(&mut *connection).await.unwrap();
    for statement in [
        "insert into store.events values (1, 1, now(), gen_random_uuid(), 1, '', 'x', '', '{}', '{}')",
        "insert into store.event_tags values (1, 1, 1, 1)",
        "insert into store.logs (log, id, name, origin) values (1, gen_random_uuid(), 'x', '')",
        "update store.logs set fence = 0",
        "delete from store.outcomes",
        "insert into store.deadlines values (1, 'x', now())",
        "delete from store.deadlines",
        "alter table store.events disable trigger all",
    ] {
        let error = sqlx::query(statement).execute(&mut *connection).await.expect_err(statement);
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        assert_eq!(code, "42501", "{statement}: {error}");
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_command_on_a_locked_log_is_answered_as_not_executed_soon_after_its_patience() {
    let world = World::create().await;
    let settings = Settings::new("the engine", Workload::Commands).allow_unsafe(true);
    let database = Database::connect(world.database.url(), &settings).await.unwrap();
    let engine: CommandEngine<Theatre> =
        CommandEngine::start(LogWriter::new(database), environment(), Tuning::default());
    let log = world.log.clone();
    submit_until_done(&engine, &log, announce("Hamlet", 9)).await;
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("select from store.logs for update").execute(&mut *blocker).await.unwrap();
    let started = Instant::now();
    let answer = summary(&engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await);
    assert_eq!(answer, "Unavailable");
    assert!(started.elapsed() < Duration::from_secs(14), "{:?}", started.elapsed());
    blocker.rollback().await.unwrap();
    engine.stop().await;
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn an_engine_stops_even_if_its_store_is_gone() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> =
        world.engine(Tuning { command_timeout: SHORT_TIMEOUT, ..Tuning::default() });
    let log = world.log.clone();
    submit_until_done(&engine, &log, announce("Hamlet", 9)).await;
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("select from store.logs for update").execute(&mut *blocker).await.unwrap();
    let submitted = engine.submit(&log, submission(vec![reserve("Hamlet", "a")]));
    let stopped = async {
        let hanging = "select count(*) from pg_stat_activity where datname = current_database()
                       and wait_event_type = 'Lock' and query like 'select store.append%'";
        eventually(TIMEOUT, "the commit hangs", async || {
            sqlx::query_scalar::<_, i64>(hanging).fetch_one(world.pool()).await.unwrap() == 1
        })
        .await;
        // From now on there are no connections, and the commit that hangs times out.
        let pool = world.pool().clone();
        tokio::spawn(async move { pool.close().await });
        tokio::time::timeout(TIMEOUT, engine.stop()).await
    };
    let (answer, stopped) = tokio::join!(submitted, stopped);
    assert_eq!(summary(&answer), "OutcomeUnknown");
    assert!(stopped.is_ok(), "the engine did not stop");
}

#[tokio::test]
async fn callers_get_errors_while_the_store_is_away_and_succeed_afterwards() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> =
        world.engine(Tuning { command_timeout: SHORT_TIMEOUT, ..Tuning::default() });
    let log = world.log.clone();
    submit_until_done(&engine, &log, announce("Hamlet", 9)).await;
    // The head is locked, so the statement hangs, and times out with an unknown outcome.
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("select from store.logs for update").execute(&mut *blocker).await.unwrap();
    let answer = summary(&engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await);
    assert_eq!(answer, "OutcomeUnknown");
    blocker.rollback().await.unwrap();
    eventually(TIMEOUT, "the command is done once", async || {
        summary(&engine.submit(&log, keyed(reserve("Hamlet", "a"), "k1")).await) == "1 events"
    })
    .await;
    assert_eq!(world.events().await.len(), 2);
}
