//! The settings that all Kafka clients share, and where the output of librdkafka goes.

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use tracing::{debug, info, warn};

use crate::topic::Topic;

/// The settings of a client: the shared ones, then its own, then the properties of the topic, which override the
/// others.
pub(crate) fn config(topic: &Topic, own: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &topic.brokers)
        .set("client.id", "recount")
        // A broker that comes back is noticed within two seconds instead of ten.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set("log.connection.close", "false")
        // A topic that was deleted or recreated is noticed after ten seconds instead of five minutes.
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set_log_level(RDKafkaLogLevel::Warning);
    for (key, value) in own {
        config.set(*key, *value);
    }
    for (key, value) in &topic.properties {
        config.set(key, value);
    }
    config
}

/// Sends the output of librdkafka to `tracing`. librdkafka reconnects by itself, so its messages are never errors of
/// this process: a caller gets every error that it has to handle from its call.
#[derive(Clone, Debug)]
pub(crate) struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => warn!(target: "kafka", facility, "{message}"),
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                info!(target: "kafka", facility, "{message}")
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => debug!(target: "kafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "kafka", %error, "{reason}");
    }
}

impl ConsumerContext for Context {
    fn post_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                info!(target: "kafka", partitions = ?numbers(partitions), "partitions assigned");
            }
            Rebalance::Revoke(partitions) => {
                info!(target: "kafka", partitions = ?numbers(partitions), "partitions revoked");
            }
            Rebalance::Error(error) => warn!(target: "kafka", %error, "rebalance failed"),
        }
    }

    /// A commit that fails only costs duplicates. The next commit includes its offsets.
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(target: "kafka", %error, "offsets were not committed");
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}
