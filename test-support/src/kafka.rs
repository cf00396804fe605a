//! The Kafka of the test run.

use crate::{required, unique_name};

/// Its bootstrap servers: `RECOUNT_TEST_KAFKA`, or those of a running `cargo xtask servers --kafka`.
pub fn kafka_brokers() -> String {
    required("RECOUNT_TEST_KAFKA")
}

/// A topic name that no other test uses.
pub fn unique_topic() -> String {
    unique_name("recount.test.")
}
