//! The Kafka of the test run.

use crate::{required, unique_name};

/// Its bootstrap servers, from `RECOUNT_TEST_KAFKA`.
pub fn kafka_brokers() -> String {
    required("RECOUNT_TEST_KAFKA")
}

/// A topic's name that no other test uses.
pub fn unique_topic() -> String {
    unique_name("recount.test.")
}
