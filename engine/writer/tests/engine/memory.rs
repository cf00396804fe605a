//! The memory of a writer is a cache: decisions do not depend on its size.

use std::cell::Cell;

use crate::theatre::{Command, Theatre, guest_tag, show_tag};
use crate::world::{World, submission, summary, tuning};
use recount_core::LogName;
use recount_test_support::eventually;
use recount_writer::{CommandEngine, Submission, Tuning};
use std::time::Duration;
use tokio::task::JoinSet;

use crate::{announce, reserve};

/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn decisions_are_the_same_with_memory_for_one_entity() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> =
        world.engine(Tuning { entities_max: 1, seen_bytes_max: 0, ..tuning() });
    let log = world.log.clone();
    for n in 0..5 {
        engine.submit(&log, submission(vec![announce(&format!("s{n}"), 2)])).await.unwrap();
    }
    for round in 0..3 {
        for n in 0..5 {
            let command = reserve(&format!("s{n}"), &format!("g{round}"));
            let answer = summary(&engine.submit(&log, submission(vec![command])).await);
            assert_eq!(answer, if round < 2 { "1 events" } else { "sold-out" });
        }
    }
}

#[tokio::test]
async fn an_idle_writer_ends_and_starts_again() {
    let world = World::create().await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { idle: Duration::from_millis(1), ..tuning() });
    let log = world.log.clone();
    engine.submit(&log, submission(vec![announce("Hamlet", 50)])).await.unwrap();
    for n in 0..50 {
        // Sometimes the writer is just ending.
        tokio::time::timeout(Duration::from_millis(n % 3), std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(summary(&engine.submit(&log, submission(vec![reserve("Hamlet", "g")])).await), "1 events");
    }
    assert_eq!(world.events().await.len(), 51);
}

/// Logs with events.
async fn logs(world: &World, names: [&str; 3]) -> [LogName; 3] {
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    for name in names {
        let log: LogName = name.parse().unwrap();
        world.store.create_log(&log).await.unwrap();
        engine.submit(&log, submission(vec![announce("Hamlet", 9)])).await.unwrap();
    }
    names.map(|name| name.parse().unwrap())
}

/// A submission with so many look-ups that the writer reads the history of its log.
fn many_look_ups(round: usize) -> Submission<Command> {
    submission((0..1_000).map(|n| announce(&format!("{round}-{n}"), 1)).collect())
}

/// The statements that wait for a lock.
async fn blocked_statements(world: &World) -> Vec<String> {
    let waiting =
        "select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_all(world.pool()).await.unwrap()
}

#[tokio::test]
async fn only_two_writers_read_histories_at_the_same_time() {
    let world = World::create().await;
    let logs = logs(&world, ["a", "b", "c"]).await;
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let mut callers = JoinSet::new();
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("lock table store.event_tags in access exclusive mode").execute(&mut *blocker).await.unwrap();
    for log in logs {
        let engine = engine.clone();
        callers.spawn(async move { summary(&engine.submit(&log, many_look_ups(0)).await) });
    }
    let is_history = |query: &String| query.starts_with("select p.tag, max(p.slot)");
    eventually(TIMEOUT, "all writers load what they need", async || {
        blocked_statements(&world).await.iter().filter(|query| !is_history(query)).count() == 3
    })
    .await;
    eventually(TIMEOUT, "histories are read", async || {
        blocked_statements(&world).await.iter().filter(|query| is_history(query)).count() >= 2
    })
    .await;
    assert_eq!(blocked_statements(&world).await.len(), 3 + 2);
    blocker.rollback().await.unwrap();
    assert_eq!(callers.join_all().await, ["1 events"; 3]);
}

#[tokio::test]
async fn a_writer_that_has_ended_stops_reading_and_lets_others_read() {
    let world = World::create().await;
    let [first, second, third] = logs(&world, ["a", "b", "c"]).await;
    let engine: CommandEngine<Theatre> = world.engine(Tuning { idle: Duration::from_millis(1), ..tuning() });
    // Nothing but reading a history needs the filters.
    let mut filters = world.pool().begin().await.unwrap();
    sqlx::query("lock table store.tag_filters in access exclusive mode")
        .execute(&mut *filters)
        .await
        .unwrap();
    let histories = async || {
        let blocked = blocked_statements(&world).await;
        blocked.iter().filter(|query| query.starts_with("select segment, octet_length")).count()
    };
    for (started, log) in [first, second].into_iter().enumerate() {
        let round = Cell::new(0);
        // A writer that ends before it reads the filters does not count.
        eventually(TIMEOUT, "a history is read", async || {
            round.set(round.get() + 1);
            engine.submit(&log, many_look_ups(round.get())).await.unwrap();
            histories().await > started
        })
        .await;
        eventually(TIMEOUT, "the writer is gone", async || !engine.has_writer(&log)).await;
    }
    // This writer does not end, because its batch cannot be committed.
    let mut head = world.pool().begin().await.unwrap();
    sqlx::query("select from store.logs where log = $1 for update")
        .bind(third.key().0)
        .execute(&mut *head)
        .await
        .unwrap();
    let caller = tokio::spawn(async move { summary(&engine.submit(&third, many_look_ups(0)).await) });
    eventually(TIMEOUT, "the third history is read", async || histories().await > 2).await;
    head.rollback().await.unwrap();
    filters.rollback().await.unwrap();
    assert_eq!(caller.await.unwrap(), "1 events");
}

async fn tip(world: &World) -> recount_core::Tip {
    world.store.reader().log(world.log.key()).await.unwrap().unwrap().tip
}

#[tokio::test]
async fn an_entity_with_an_unreadable_snapshot_is_loaded_from_its_events() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    engine.submit(&log, submission(vec![announce("Hamlet", 2), reserve("Hamlet", "a")])).await.unwrap();
    let show = show_tag("Hamlet");
    let damaged = recount_store::Snapshot {
        entity: show,
        version: 1,
        tip: tip(&world).await,
        state: "{\"Show\": 7}".to_owned(),
    };
    world.store.save_snapshots(log.key(), &[damaged]).await.unwrap();
    let cold: CommandEngine<Theatre> = world.engine(tuning());
    assert_eq!(summary(&cold.submit(&log, submission(vec![reserve("Hamlet", "b")])).await), "1 events");
    assert_eq!(summary(&cold.submit(&log, submission(vec![reserve("Hamlet", "c")])).await), "sold-out");
}

#[tokio::test]
async fn an_entity_in_memory_is_updated_by_events_of_commands_that_do_not_name_it() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(tuning());
    let follow = || Command::Follow { guest: "a".to_owned(), show: "b".to_owned() };
    let commands =
        vec![announce("Hamlet", 9), announce("Faust", 9), announce("Tasso", 9), reserve("Tasso", "a")];
    engine.submit(&log, submission(commands)).await.unwrap();
    // This brings the guest into memory.
    assert_eq!(summary(&engine.submit(&log, submission(vec![follow()])).await), "1 events");
    engine.submit(&log, submission(vec![reserve("Hamlet", "a")])).await.unwrap();
    // A writer that loads the guest from the store would find another show.
    let wrong = recount_store::Snapshot {
        entity: guest_tag("a"),
        version: 1,
        tip: tip(&world).await,
        state: r#"{"Guest":{"last_show":"Faust"}}"#.to_owned(),
    };
    world.store.save_snapshots(log.key(), &[wrong]).await.unwrap();
    assert_eq!(summary(&engine.submit(&log, submission(vec![follow()])).await), "1 events");
    let last = world.events().await.pop().unwrap();
    assert_eq!(last.data, r#"{"what":"reserved","show":"Hamlet","guest":"b","seat":2}"#);
}

#[tokio::test]
async fn a_long_lived_entity_is_loaded_from_its_snapshot() {
    let world = World::create().await;
    let log = world.log.clone();
    let engine: CommandEngine<Theatre> = world.engine(Tuning { snapshot_every: 30, ..tuning() });
    engine.submit(&log, submission(vec![announce("Hamlet", 40)])).await.unwrap();
    for _ in 0..35 {
        engine.submit(&log, submission(vec![reserve("Hamlet", "g")])).await.unwrap();
    }
    let snapshot_position = async || -> i64 {
        sqlx::query_scalar("select coalesce(max(position), 0) from store.snapshots where entity = $1")
            .bind(show_tag("Hamlet").as_str())
            .fetch_one(world.pool())
            .await
            .unwrap()
    };
    // There is only one snapshot, so no later one replaces the change below.
    eventually(TIMEOUT, "a snapshot near the head", async || snapshot_position().await == 30).await;
    // One more seat in the snapshot shows that the snapshot is used and not the events before it.
    sqlx::query("update store.snapshots set state = jsonb_set(state::jsonb, '{Show,seats}', '41')::json where entity = $1")
        .bind(show_tag("Hamlet").as_str())
        .execute(world.pool())
        .await
        .unwrap();
    let cold: CommandEngine<Theatre> = world.engine(tuning());
    for _ in 0..6 {
        assert_eq!(summary(&cold.submit(&log, submission(vec![reserve("Hamlet", "h")])).await), "1 events");
    }
    assert_eq!(summary(&cold.submit(&log, submission(vec![reserve("Hamlet", "h")])).await), "sold-out");
}
