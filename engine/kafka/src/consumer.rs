//! Reading the topic as a member of a consumer group.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use recount_core::{LogName, RecordedEvent};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use crate::client::{self, Context};
use crate::error::MessagingError;
use crate::record;
use crate::topic::Topic;

/// Offsets are only a hint where to continue, so they are not committed with each small batch but in this interval.
const COMMIT_INTERVAL: Duration = Duration::from_millis(250);
/// How long leaving the group may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the topic as a member of a consumer group. Delivery is at least once: after a crash or a rebalance, events are
/// delivered again.
pub struct Consumer {
    topic: Topic,
    group: String,
    client: StreamConsumer<Context>,
    /// An error that came after the first events of a batch. The next call returns it.
    deferred: Option<KafkaError>,
    /// The next offset of each partition, for events that were applied and whose offsets are not committed yet.
    applied: BTreeMap<i32, i64>,
    committed_at: Instant,
}

/// Events from the topic, in the order of each partition and therefore of each log.
#[derive(Debug, Default)]
pub struct Batch {
    pub events: Vec<(LogName, RecordedEvent)>,
    /// Records that are not events of a log. They are skipped. If one of them should have been an event, the gap in the
    /// positions of its log shows it.
    pub rejected: Vec<Rejected>,
    next_offsets: BTreeMap<i32, i64>,
    /// The size of the records, in bytes.
    bytes: usize,
}

/// A record that is not an event of a log.
#[derive(Debug)]
pub struct Rejected {
    pub partition: i32,
    pub offset: i64,
    pub reason: record::RecordError,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("topic", &self.topic)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// About how much memory a batch may take: an event can have hundreds of kilobytes.
const BATCH_BYTES_MAX: usize = 8 << 20;

impl Batch {
    /// Whether no record was read.
    pub fn is_empty(&self) -> bool {
        self.next_offsets.is_empty()
    }

    fn add(&mut self, message: &BorrowedMessage<'_>) {
        match record::event(message.key(), message.headers(), message.payload()) {
            Ok(event) => self.events.push(event),
            Err(reason) => {
                let (partition, offset) = (message.partition(), message.offset());
                warn!(topic = message.topic(), partition, offset, %reason, "a record is not an event of a log and is skipped");
                self.rejected.push(Rejected { partition, offset, reason });
            }
        }
        self.next_offsets.insert(message.partition(), message.offset() + 1);
        self.bytes += message.payload_len();
    }
}

impl Consumer {
    /// Joins the group. Must be called within a tokio runtime. Connects in the background, so an unreachable Kafka is
    /// not an error here.
    pub fn new(topic: &Topic, group: &str) -> Result<Consumer, MessagingError> {
        Ok(Consumer {
            topic: topic.clone(),
            group: group.to_owned(),
            client: join(topic, group)?,
            deferred: None,
            applied: BTreeMap::new(),
            committed_at: Instant::now(),
        })
    }

    /// Waits up to `max_wait` for events and returns those that are available, up to `max`. An empty batch is not an
    /// error and not the end of the topic.
    ///
    /// It does not wait for a batch to fill: while one batch is applied, events of the next one arrive, so batches grow
    /// with the load.
    pub async fn next_batch(&mut self, max: usize, max_wait: Duration) -> Result<Batch, MessagingError> {
        self.commit_when_due();
        if let Some(error) = self.deferred.take() {
            return Err(self.failed(error));
        }
        let until = Instant::now() + max_wait;
        let mut batch = Batch::default();
        while batch.events.len() + batch.rejected.len() < max && batch.bytes < BATCH_BYTES_MAX {
            let received = if batch.is_empty() {
                timeout_at(until, self.client.recv()).await
            } else {
                timeout(Duration::ZERO, self.client.recv()).await
            };
            match received {
                Err(_elapsed) => break,
                Ok(Ok(message)) => batch.add(&message),
                Ok(Err(error)) if batch.is_empty() => return Err(self.failed(error)),
                Ok(Err(error)) => {
                    self.deferred = Some(error);
                    break;
                }
            }
        }
        Ok(batch)
    }

    /// Commits a batch that was applied, so that no member reads it again.
    ///
    /// Call it only after the batch was applied. The offsets are committed in the background, which may fail, for
    /// example because the partition has moved to another member. Then the events are delivered again.
    pub fn commit(&mut self, batch: &Batch) {
        self.applied.extend(batch.next_offsets.iter().map(|(&partition, &offset)| (partition, offset)));
        self.commit_when_due();
    }

    /// Commits the offsets of all applied batches and leaves the group, so that other members take over at once.
    pub async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.commit_applied(CommitMode::Sync) {
                warn!(group = self.group, %error, "the last offsets were not committed; their events will be delivered again");
            }
        });
        if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            warn!("leaving the consumer group takes too long; it continues in the background");
        }
    }

    fn commit_when_due(&mut self) {
        if self.applied.is_empty() || self.committed_at.elapsed() < COMMIT_INTERVAL {
            return;
        }
        match self.commit_applied(CommitMode::Async) {
            Ok(()) => self.applied.clear(),
            Err(error) => warn!(group = self.group, %error, "offsets were not committed; it is tried again"),
        }
        self.committed_at = Instant::now();
    }

    fn commit_applied(&self, mode: CommitMode) -> Result<(), KafkaError> {
        if self.applied.is_empty() {
            return Ok(());
        }
        let mut offsets = TopicPartitionList::with_capacity(self.applied.len());
        for (&partition, &offset) in &self.applied {
            offsets.add_partition_offset(&self.topic.name, partition, Offset::Offset(offset))?;
        }
        self.client.commit(&offsets, mode)
    }

    /// The error for the caller. If librdkafka reports that this client cannot continue, a new client joins the group.
    fn failed(&mut self, error: KafkaError) -> MessagingError {
        if let KafkaError::MessageConsumptionFatal(code) = error {
            warn!(group = self.group, %code, "the consumer cannot continue and is replaced");
            match join(&self.topic, &self.group) {
                Ok(client) => {
                    let failed = std::mem::replace(&mut self.client, client);
                    // Leaving the group may block, so it must not happen on a thread of the runtime.
                    tokio::task::spawn_blocking(move || drop(failed));
                }
                Err(error) => return error,
            }
        }
        MessagingError::new("receive events", error)
    }
}

fn join(topic: &Topic, group: &str) -> Result<StreamConsumer<Context>, MessagingError> {
    let settings = [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"),
        // While some partitions move, a member continues with those that it keeps.
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("allow.auto.create.topics", "false"),
        // After this time without a heartbeat, the partitions of a killed member move to others.
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "3000"),
        ("fetch.error.backoff.ms", "200"),
        // Limits the records that are read ahead. This is enough for the next batches.
        ("queued.max.messages.kbytes", "32768"),
        ("queued.min.messages", "20000"),
    ];
    let failed = |source| MessagingError::new("join the consumer group", source);
    let client: StreamConsumer<Context> =
        client::config(topic, &settings).create_with_context(Context).map_err(failed)?;
    client.subscribe(&[&topic.name]).map_err(failed)?;
    Ok(client)
}
