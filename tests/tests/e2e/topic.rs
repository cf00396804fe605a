//! What a consumer of the topic sees.

use std::time::Duration;

use recount_messaging::{Consumer, Topic};
use recount_test_support::unique_name;
use serde_json::Value;

/// A whole topic is read within this, the join of the group included.
const READ_BOUND: Duration = Duration::from_secs(60);
const BATCH: usize = 500;
const BATCH_WAIT: Duration = Duration::from_millis(500);

/// Reads the topic until every event of the ledger has been there: once or more, and none before the one that
/// precedes it.
pub(crate) async fn carries(topic: &Topic, ledger: &str, events: &[Value]) {
    let mut consumer = Consumer::new(topic, &unique_name("recount-e2e-")).unwrap();
    let mut seen = 0;
    let reading = async {
        while seen < events.len() {
            // Kafka may be starting: what it answers until then is no end.
            let Ok(batch) = consumer.next_batch(BATCH, BATCH_WAIT).await else { continue };
            assert!(batch.rejected.is_empty(), "{:?}", batch.rejected);
            for (log, event) in &batch.events {
                assert_eq!(log.to_string(), ledger);
                let position = usize::try_from(event.position.0).unwrap();
                assert!(position <= seen + 1, "{position} comes after {seen}");
                let logged = &events[position - 1];
                assert_eq!(logged["id"], event.id.to_string());
                assert_eq!(logged["data"], serde_json::from_str::<Value>(&event.data).unwrap());
                seen = seen.max(position);
            }
            consumer.commit(&batch);
        }
    };
    let in_time = tokio::time::timeout(READ_BOUND, reading).await.is_ok();
    assert!(in_time, "only {seen} of {} events came within {READ_BOUND:?}", events.len());
    consumer.close().await;
}
