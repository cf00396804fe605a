//! The topic: where it is, making it, asking whether it is there.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{info, warn};

use crate::client::{self, Context};
use crate::error::{MessagingError, is_missing_topic};

/// How long one request to the cluster may take. A broker that elects a leader answers within this.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a health question may take: short, because somebody waits for the answer.
const REACHABLE_TIME_MAX: Duration = Duration::from_secs(3);
/// The largest record, with room above the largest event that a service accepts. In decimal: 8 MiB.
pub(crate) const RECORD_BYTES_MAX: &str = "8388608";

/// A topic of a Kafka cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Topic {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    pub name: String,
    /// How many partitions the topic gets when it is made. Logs are spread over them by key, so this bounds how
    /// many processes share the work; a topic that is there keeps the number that it has.
    pub partitions: i32,
    /// Settings of librdkafka on top of ours, for TLS and SASL: `security.protocol`, `sasl.username` …
    pub properties: BTreeMap<String, String>,
}

impl Topic {
    /// The name of the topic where nothing else is configured.
    pub const NAME: &str = "recount.events";
    /// The partitions of a new topic where nothing else is configured.
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

/// Shows which properties are set and not their values: a password may be among them.
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

/// Makes the topic if it is not there. In bounded time: an unreachable Kafka is an error.
///
/// The topic's replication and retention are the cluster's defaults: the log is the truth and consumers of ours
/// repair what the topic no longer holds from the store, so a copy that grows for ever would buy nothing. Two
/// settings are ours: records are deleted by age and never compacted by key (that would leave each log its last
/// event), and they may be as large as the events that the services accept.
///
/// A topic that exists is left as it is; another number of partitions than the configured one is worth a warning,
/// because growing it moves logs between partitions and is an operator's decision.
pub async fn ensure_topic(topic: &Topic) -> Result<(), MessagingError> {
    if let Some(partitions) = partition_count(topic, REQUEST_TIME_MAX).await? {
        if partitions != topic.partitions {
            warn!(
                topic = topic.name,
                partitions,
                configured = topic.partitions,
                "the topic has another number of partitions than configured; it is used as it is"
            );
        }
        return Ok(());
    }
    create(topic).await
}

/// Whether a broker answers and knows the topic.
pub async fn reachable(topic: &Topic) -> bool {
    matches!(partition_count(topic, REACHABLE_TIME_MAX).await, Ok(Some(_)))
}

async fn create(topic: &Topic) -> Result<(), MessagingError> {
    const DOING: &str = "make the topic";
    let failed = |source| MessagingError::new(DOING, source);
    let admin: AdminClient<Context> =
        client::config(topic, &[]).create_with_context(Context).map_err(failed)?;
    let new_topic = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(-1))
        .set("cleanup.policy", "delete")
        .set("max.message.bytes", RECORD_BYTES_MAX);
    let options =
        AdminOptions::new().request_timeout(Some(REQUEST_TIME_MAX)).operation_timeout(Some(REQUEST_TIME_MAX));
    let results = admin.create_topics([&new_topic], &options).await.map_err(failed)?;
    for result in results {
        match result {
            Ok(_) => info!(topic = topic.name, partitions = topic.partitions, "topic made"),
            // Another process made it between our question and our request.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(failed(KafkaError::AdminOp(code))),
        }
    }
    Ok(())
}

/// The number of the topic's partitions; `None` if there is no such topic.
async fn partition_count(topic: &Topic, time_max: Duration) -> Result<Option<i32>, MessagingError> {
    const DOING: &str = "describe the topic";
    let topic = topic.clone();
    let asked = tokio::task::spawn_blocking(move || {
        // A consumer without a group: it asks for metadata, and unlike a producer never has the topic made.
        let client: BaseConsumer<Context> =
            client::config(&topic, &[("allow.auto.create.topics", "false")]).create_with_context(Context)?;
        let metadata = client.fetch_metadata(Some(&topic.name), time_max)?;
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
    match asked.await {
        Ok(answer) => answer.map_err(|source| MessagingError::new(DOING, source)),
        // The runtime is shutting down: the question was never asked.
        Err(_) => Err(MessagingError::new(DOING, KafkaError::Canceled)),
    }
}
