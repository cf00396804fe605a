//! Reading the topic as a consumer.

use std::collections::HashMap;
use std::time::Duration;

use recount_kafka::{Consumer, Topic};
use recount_test_support::unique_name;
use serde_json::Value;

/// How long reading a whole topic may take, including joining the group.
const READ_TIMEOUT: Duration = Duration::from_secs(180);
const BATCH_EVENTS_MAX: usize = 500;
const BATCH_TIMEOUT: Duration = Duration::from_millis(500);

/// Reads the topic until it has had every event of these logs, in order and at least once. Ignores events beyond those
/// that are given.
pub(crate) async fn carries(topic: &Topic, logs: &HashMap<String, Vec<Value>>) {
    let mut consumer = Consumer::new(topic, &unique_name("recount-e2e-")).unwrap();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let missing = |seen: &HashMap<String, usize>| {
        let behind =
            |(name, log): (&String, &Vec<Value>)| log.len().saturating_sub(*seen.get(name).unwrap_or(&0));
        logs.iter().map(behind).sum::<usize>()
    };
    let reading = async {
        while missing(&seen) > 0 {
            // Kafka may be starting, so an error is not the end.
            let Ok(batch) = consumer.next_batch(BATCH_EVENTS_MAX, BATCH_TIMEOUT).await else { continue };
            assert!(batch.rejected.is_empty(), "{:?}", batch.rejected);
            for (name, event) in &batch.events {
                let seen = seen.entry(name.to_string()).or_default();
                let position = usize::try_from(event.position.0).unwrap();
                assert!(position <= *seen + 1, "in {name}, {position} comes after {seen}");
                *seen = position.max(*seen);
                if let Some(logged) = logs[name.as_str()].get(position - 1) {
                    assert_eq!(logged["id"], event.id.to_string());
                    assert_eq!(logged["data"], serde_json::from_str::<Value>(&event.data).unwrap());
                }
            }
            consumer.commit(&batch);
        }
    };
    let in_time = tokio::time::timeout(READ_TIMEOUT, reading).await.is_ok();
    assert!(in_time, "{} events did not come within {READ_TIMEOUT:?}", missing(&seen));
    consumer.close().await;
}

/// The same for the only ledger.
pub(crate) async fn carries_main(topic: &Topic, events: Vec<Value>) {
    carries(topic, &HashMap::from([("main".to_owned(), events)])).await;
}
