//! The topic: its address, creating it, and checking that it is reachable.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, info, warn};

use crate::client::{self, Context};
use crate::error::{MessagingError, is_missing_topic};

/// How long a request to the cluster may take: long enough for the election of a leader.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a health check may take. It is short, because a caller waits for the answer.
const REACHABLE_TIMEOUT: Duration = Duration::from_secs(3);
/// The size of the largest record: 8 MiB, which is more than the largest event that a service accepts.
pub(crate) const RECORD_BYTES_MAX: &str = "8388608";
/// The setting of a topic that limits it.
const RECORD_BYTES_SETTING: &str = "max.message.bytes";

/// A topic of a Kafka cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Topic {
    /// `host:port`; several are separated by commas.
    pub brokers: String,
    pub name: String,
    /// The number of partitions when the topic is created. Logs are spread over them by key, so this limits how many
    /// processes share the work. An existing topic keeps its number.
    pub partitions: i32,
    /// More settings for librdkafka, such as those for TLS and SASL: `security.protocol`, `sasl.username` …
    pub properties: BTreeMap<String, String>,
}

impl Topic {
    /// The default name of the topic.
    pub const NAME: &str = "recount.events";
    /// The default number of partitions.
    pub const PARTITIONS: i32 = 12;

    /// The default topic at these brokers.
    pub fn at(brokers: impl Into<String>) -> Topic {
        Topic {
            brokers: brokers.into(),
            name: Topic::NAME.to_owned(),
            partitions: Topic::PARTITIONS,
            properties: BTreeMap::new(),
        }
    }

    pub fn named(self, name: impl Into<String>) -> Topic {
        Topic { name: name.into(), ..self }
    }
}

/// Shows which properties are set but not their values, because one of them may be a password.
impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("brokers", &self.brokers)
            .field("name", &self.name)
            .field("partitions", &self.partitions)
            .field("properties", &self.properties.keys())
            .finish()
    }
}

/// Creates the topic if it does not exist. An unreachable Kafka is an error after a timeout.
///
/// The topic has the replication and the retention of the cluster. Consumers read expired events from the store, which
/// is the source of truth, so the topic need not keep them. Two settings are fixed: records are deleted by age and
/// never compacted by key, which would leave only the last event of each log; and a record may be as large as the
/// events that the services accept.
///
/// An existing topic is left as it is. If its number of partitions is not the configured one, a warning is printed:
/// more partitions would move logs between partitions, so that is the decision of an operator. The same if it does not
/// take the largest records: one that is refused holds up its log.
pub async fn ensure_topic(topic: &Topic) -> Result<(), MessagingError> {
    if let Some(partitions) = partition_count(topic, REQUEST_TIMEOUT).await? {
        if partitions != topic.partitions {
            warn!(
                topic = topic.name,
                partitions,
                configured = topic.partitions,
                "the topic does not have the configured number of partitions; it is used as it is"
            );
        }
        warn_of_small_records(topic).await;
        return Ok(());
    }
    create(topic).await
}

async fn warn_of_small_records(topic: &Topic) {
    match setting(topic, RECORD_BYTES_SETTING).await {
        Ok(Some(bytes)) if bytes.parse::<u64>().ok() < RECORD_BYTES_MAX.parse().ok() => warn!(
            topic = topic.name,
            bytes,
            needed = RECORD_BYTES_MAX,
            "the topic does not take the largest events; set its {RECORD_BYTES_SETTING}, or such an event holds up its log"
        ),
        Ok(_) => {}
        // Clients may be allowed to write to a topic and not to read its settings.
        Err(error) => debug!(topic = topic.name, %error, "the settings of the topic are not known"),
    }
}

/// A setting of the topic, as it is in effect.
async fn setting(topic: &Topic, name: &str) -> Result<Option<String>, KafkaError> {
    let admin: AdminClient<Context> = client::config(topic, &[]).create_with_context(Context)?;
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(&topic.name)], &options).await?;
    let resource = described.into_iter().next().transpose().map_err(KafkaError::AdminOp)?;
    Ok(resource.and_then(|resource| resource.get(name).and_then(|entry| entry.value.clone())))
}

/// Whether a broker answers and has the topic.
pub async fn reachable(topic: &Topic) -> bool {
    matches!(partition_count(topic, REACHABLE_TIMEOUT).await, Ok(Some(_)))
}

async fn create(topic: &Topic) -> Result<(), MessagingError> {
    const ACTION: &str = "create the topic";
    let failed = |source| MessagingError::new(ACTION, source);
    let admin: AdminClient<Context> =
        client::config(topic, &[]).create_with_context(Context).map_err(failed)?;
    let new_topic = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(-1))
        .set("cleanup.policy", "delete")
        .set(RECORD_BYTES_SETTING, RECORD_BYTES_MAX);
    let options =
        AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT));
    let results = admin.create_topics([&new_topic], &options).await.map_err(failed)?;
    for result in results {
        match result {
            Ok(_) => info!(topic = topic.name, partitions = topic.partitions, "topic created"),
            // Another process has created it in the meantime.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(failed(KafkaError::AdminOp(code))),
        }
    }
    Ok(())
}

/// The number of partitions of the topic; `None` if it does not exist.
async fn partition_count(topic: &Topic, timeout: Duration) -> Result<Option<i32>, MessagingError> {
    const ACTION: &str = "describe the topic";
    let topic = topic.clone();
    let request = tokio::task::spawn_blocking(move || {
        // A consumer without a group: unlike a producer, it never makes the broker create the topic.
        let client: BaseConsumer<Context> =
            client::config(&topic, &[("allow.auto.create.topics", "false")]).create_with_context(Context)?;
        let metadata = client.fetch_metadata(Some(&topic.name), timeout)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.name);
        match found.map(|found| (found.error(), found.partitions().len())) {
            None => Ok(None),
            Some((None, partitions)) => Ok(i32::try_from(partitions).ok().filter(|n| *n > 0)),
            Some((Some(error), _)) => {
                let error = KafkaError::MetadataFetch(error.into());
                if is_missing_topic(&error) { Ok(None) } else { Err(error) }
            }
        }
    });
    match request.await {
        Ok(answer) => answer.map_err(|source| MessagingError::new(ACTION, source)),
        // The runtime is shutting down, so the request was not sent.
        Err(_) => Err(MessagingError::new(ACTION, KafkaError::Canceled)),
    }
}
