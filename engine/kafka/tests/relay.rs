//! The relay on a real Postgres and a real Apache Kafka: every log gets its turn, in order, and progress is saved.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use recount_core::{LogKey, LogName, NewEvent, Position, Tag};
use recount_kafka::relay::{self, Published, RelayStore};
use recount_kafka::{Consumer, Topic};
use recount_store::{Append, Appended, LogWriter, migrations};
use recount_test_support::{TestDatabase, eventually, kafka_brokers, unique_name, unique_topic};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(180);
/// The events that the relay publishes in a turn of a log.
const TURN_EVENTS: i64 = 1_000;

/// A database with an event store.
async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    migrations::run(database.pool()).await.unwrap();
    database
}

/// Appends this many events to the log, whose head is `head`.
async fn append(store: &LogWriter, log: LogKey, head: i64, events: i64) {
    let mut batch = Append::new(log, Position(head), 0, "2026-11-21T09:30:00Z".parse().unwrap());
    let meta: Arc<str> = "{}".into();
    for n in 0..events {
        batch.push_event(NewEvent {
            id: Uuid::from_u128(
                u128::from(log.0.cast_unsigned()) << 64 | u128::from((head + n).cast_unsigned()),
            ),
            event_type: "counted",
            version: 1,
            tags: vec![Tag::new("counter", "one")],
            data: format!("{{\"n\":{n}}}"),
            meta: Arc::clone(&meta),
        });
    }
    assert_eq!(store.append(&batch, TIMEOUT).await.unwrap(), Appended::Done);
}

async fn new_logs(store: &LogWriter, count: usize) -> Vec<LogName> {
    let names: Vec<LogName> = (0..count).map(|n| format!("log-{n}").parse().unwrap()).collect();
    for name in &names {
        store.create_log(name).await.unwrap();
    }
    names
}

/// Reads the topic, which has one partition, until it has this many events of every log. Checks that the events of each
/// log are in order, and calls `each` after every event with the last positions of all logs.
async fn read_until(topic: &Topic, logs: usize, events: i64, mut each: impl FnMut(&HashMap<LogName, i64>)) {
    let mut consumer = Consumer::new(topic, &unique_name("recount-relay-")).unwrap();
    let mut seen: HashMap<LogName, i64> = HashMap::new();
    let reading = async {
        while seen.len() < logs || seen.values().any(|seen| *seen < events) {
            // Kafka may be starting, so an error is not the end.
            let Ok(batch) = consumer.next_batch(500, Duration::from_millis(500)).await else { continue };
            for (name, event) in &batch.events {
                let last = seen.entry(name.clone()).or_default();
                assert!(event.position.0 <= *last + 1, "in {name}, {} comes after {last}", event.position);
                *last = event.position.0.max(*last);
                each(&seen);
            }
            consumer.commit(&batch);
        }
    };
    assert!(timeout(TIMEOUT, reading).await.is_ok(), "not all events came within {TIMEOUT:?}");
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_log_gets_its_turn_while_all_of_them_have_more_to_publish() {
    const LOGS: usize = 24;
    const EVENTS: i64 = 3 * TURN_EVENTS;
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let names = new_logs(&store, LOGS).await;
    for name in &names {
        append(&store, name.key(), 0, EVENTS).await;
    }
    let topic = Topic { partitions: 1, ..Topic::at(kafka_brokers()).named(unique_topic()) };
    let stopping = CancellationToken::new();
    let relay = tokio::spawn(relay::run(
        store.reader().clone(),
        RelayStore::new(pool.clone()),
        topic.clone(),
        Uuid::from_u128(1),
        stopping.clone(),
    ));
    read_until(&topic, LOGS, EVENTS, |seen| {
        let most = seen.values().max().unwrap();
        // A log gets its third turn after all others have had their first.
        if *most > 2 * TURN_EVENTS {
            let had_none = names.iter().filter(|name| seen.get(name).copied().unwrap_or(0) < TURN_EVENTS);
            assert_eq!(had_none.count(), 0, "at {most} of one log, these have had no turn");
        }
    })
    .await;
    eventually(TIMEOUT, "all progress is saved", || async {
        let keys: Vec<LogKey> = names.iter().map(LogName::key).collect();
        let saved = RelayStore::new(pool.clone()).published(&keys).await.unwrap();
        saved.len() == LOGS && saved.values().all(|position| position.0 == EVENTS)
    })
    .await;
    stopping.cancel();
    timeout(TIMEOUT, relay).await.unwrap().unwrap();
}

fn moved(log: i64, from: i64, to: i64) -> Published {
    Published { log: LogKey(log), from: Position(from), to: Position(to) }
}

#[tokio::test]
async fn the_progress_of_many_logs_is_saved_by_compare_and_set() {
    let database = database().await;
    let store = RelayStore::new(database.pool().clone());
    assert_eq!(store.save_published(&[moved(1, 0, 5), moved(2, 0, 7)]).await.unwrap(), 2);
    // The first is at another position, the second moves on, the third starts.
    let progress = [moved(1, 4, 9), moved(2, 7, 8), moved(3, 0, 1)];
    assert_eq!(store.save_published(&progress).await.unwrap(), 2);
    let saved = store.published(&[1, 2, 3, 4].map(LogKey)).await.unwrap();
    assert_eq!(saved, HashMap::from([(1, 5), (2, 8), (3, 1)].map(|(log, at)| (LogKey(log), Position(at)))));
    // Progress that another relay has started is not started again.
    assert_eq!(store.save_published(&[moved(1, 0, 9)]).await.unwrap(), 0);
}
