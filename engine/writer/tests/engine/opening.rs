//! Opening a log: an unknown log, an unreachable store, and a writer that is far behind.

use std::time::Duration;

use crate::theatre::Theatre;
use crate::world::{World, environment, keyed, submission, summary, tuning};
use recount_core::LogName;
use recount_store::LogWriter;
use recount_test_support::eventually;
use recount_writer::{CommandEngine, Tuning};
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

use crate::{announce, reserve};

/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_unknown_log_keeps_no_writer_and_is_found_once_it_is_created() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { idle: 10 * TIMEOUT, ..tuning() });
    for n in 0..20 {
        let name: LogName = format!("nobody-{n}").parse().unwrap();
        let log = name.clone();
        assert_eq!(
            summary(&engine.submit(&log, submission(vec![announce("Hamlet", 9)])).await),
            "LogUnknown"
        );
        if n % 2 == 0 {
            eventually(TIMEOUT, "the writer is gone", async || !engine.has_writer(&log)).await;
        }
        world.store.create_log(&name).await.unwrap();
        assert_eq!(summary(&engine.submit(&log, submission(vec![announce("Hamlet", 9)])).await), "1 events");
    }
}

#[tokio::test]
async fn every_caller_of_an_unknown_log_gets_an_error() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { batch_commands_max: 3, ..tuning() });
    let mut callers = JoinSet::new();
    for n in 0..50 {
        let engine = engine.clone();
        callers.spawn(async move {
            summary(
                &engine
                    .submit(
                        &format!("nobody-{}", n % 2).parse().unwrap(),
                        submission(vec![announce("Hamlet", 9)]),
                    )
                    .await,
            )
        });
    }
    assert_eq!(callers.join_all().await, ["LogUnknown"; 50]);
}

#[tokio::test]
async fn a_log_is_opened_even_if_the_pooled_connection_has_died() {
    let world = World::create().await;
    let one = PgPoolOptions::new().max_connections(1).connect(world.database.url()).await.unwrap();
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&one).await.unwrap();
    let engine: CommandEngine<Theatre> =
        CommandEngine::start(LogWriter::new(one.clone()), environment(), tuning());
    let killed: bool = sqlx::query_scalar("select pg_terminate_backend($1, 60000)")
        .bind(backend)
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert!(killed);
    assert_eq!(
        summary(&engine.submit(&world.log, submission(vec![announce("Hamlet", 9)])).await),
        "1 events"
    );
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_in_time_is_unavailable() {
    let world = World::create().await;
    let command_timeout = Duration::from_secs(1);
    let engine: CommandEngine<Theatre> = world.engine(Tuning { command_timeout, ..tuning() });
    world.pool().close().await;
    let submitted = engine.submit(&world.log, keyed(announce("Hamlet", 9), "a"));
    assert_eq!(summary(&submitted.await), "Unavailable");
}

#[tokio::test]
async fn a_writer_that_is_far_behind_starts_again_at_the_head() {
    let world = World::create().await;
    let log = world.log.clone();
    let [behind, other]: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let one = |command| submission(vec![command]);
    assert_eq!(summary(&behind.submit(&log, one(announce("Hamlet", 2))).await), "1 events");
    assert_eq!(summary(&other.submit(&log, one(reserve("Hamlet", "a"))).await), "1 events");
    // As if the other engine had appended thousands of events. Reading them one by one would fail, because their hashes are
    // wrong.
    sqlx::query(
        "insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
         select $1, n, now(), gen_random_uuid(), 1, sha256(n::text::bytea), 'announced', '', '{}', '{}'
         from generate_series(3, 20000) as n",
    )
        .bind(log.key().0)
        .execute(world.pool())
        .await
        .unwrap();
    let third: CommandEngine<Theatre> = world.engine(tuning());
    assert_eq!(summary(&third.submit(&log, one(announce("Faust", 1))).await), "1 events");
    // It sees the events of the others: for an entity that it had in memory, and for one that is new.
    assert_eq!(summary(&behind.submit(&log, one(reserve("Hamlet", "b"))).await), "1 events");
    assert_eq!(summary(&behind.submit(&log, one(reserve("Hamlet", "c"))).await), "sold-out");
    assert_eq!(summary(&behind.submit(&log, one(reserve("Faust", "a"))).await), "1 events");
    assert_eq!(summary(&behind.submit(&log, one(announce("Faust", 1))).await), "0 events");
}
