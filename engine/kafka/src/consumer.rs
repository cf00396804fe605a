//! Reading the feed back as a member of a consumer group.

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

/// Offsets are a hint where to go on, so they are committed at most so often, not with each small batch.
const COMMIT_INTERVAL: Duration = Duration::from_millis(250);
/// How long leaving the group may take.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads the topic as a member of a group. Delivery is at least once: after a crash or a rebalance events come again.
pub struct Consumer {
    topic: Topic,
    group: String,
    client: StreamConsumer<Context>,
    /// An error that came after the first events of a batch: it is reported by the next call.
    deferred: Option<KafkaError>,
    /// Applied and not yet committed: the offset to go on from, by partition.
    applied: BTreeMap<i32, i64>,
    committed_at: Instant,
}

/// Some events of the feed, in the order of each partition, so in the order of each log.
#[derive(Debug, Default)]
pub struct Batch {
    pub events: Vec<(LogName, RecordedEvent)>,
    /// Records that are not events of ours. They are passed over; if one stood for an event, the gap in its log's
    /// positions tells.
    pub rejected: Vec<Rejected>,
    next_offsets: BTreeMap<i32, i64>,
    /// What was taken from Kafka, in bytes.
    bytes: usize,
}

/// A record that is not an event of ours.
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

/// What a batch may take in memory, about: events can be hundreds of kilobytes each.
const BATCH_BYTES_MAX: usize = 8 << 20;

impl Batch {
    /// Nothing was read at all.
    pub fn is_empty(&self) -> bool {
        self.next_offsets.is_empty()
    }

    fn add(&mut self, message: &BorrowedMessage<'_>) {
        match record::event(message.key(), message.headers(), message.payload()) {
            Ok(event) => self.events.push(event),
            Err(reason) => {
                let (partition, offset) = (message.partition(), message.offset());
                warn!(topic = message.topic(), partition, offset, %reason, "a record is no event of ours and is skipped");
                self.rejected.push(Rejected { partition, offset, reason });
            }
        }
        self.next_offsets.insert(message.partition(), message.offset() + 1);
        self.bytes += message.payload_len();
    }
}

impl Consumer {
    /// Joins the group. Must be called within a tokio runtime. Connects in the background: a Kafka that is not
    /// there is no error here.
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

    /// Waits up to `max_wait` for events and takes those that are there, up to `max`. An empty batch is no error
    /// and not the end of the feed.
    ///
    /// It does not wait for company: while one batch is applied the next gathers, so batches grow with the load.
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

    /// Tells the group that the batch was applied, so that nobody needs to read it again.
    ///
    /// To be called only after that. The commit itself goes out in the background and may fail, for one because
    /// the partition has moved to another member: then the events come again, here or there.
    pub fn commit(&mut self, batch: &Batch) {
        self.applied.extend(batch.next_offsets.iter().map(|(&partition, &offset)| (partition, offset)));
        self.commit_when_due();
    }

    /// Commits what was applied and leaves the group, so that other members take over at once.
    pub async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.commit_applied(CommitMode::Sync) {
                warn!(group = self.group, %error, "the last offsets were not committed; their events will come again");
            }
        });
        if timeout(CLOSE_TIME_MAX, closing).await.is_err() {
            warn!("leaving the consumer group takes too long and is left to itself");
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

    /// Names the failure, and joins the group anew where librdkafka says that this client is done for.
    fn failed(&mut self, error: KafkaError) -> MessagingError {
        if let KafkaError::MessageConsumptionFatal(code) = error {
            warn!(group = self.group, %code, "the consumer cannot go on and is replaced");
            match join(&self.topic, &self.group) {
                Ok(client) => {
                    let done_for = std::mem::replace(&mut self.client, client);
                    // Leaving the group may block: not on a thread of the runtime.
                    tokio::task::spawn_blocking(move || drop(done_for));
                }
                Err(error) => return error,
            }
        }
        MessagingError::new("hand out events", error)
    }
}

fn join(topic: &Topic, group: &str) -> Result<StreamConsumer<Context>, MessagingError> {
    let settings = [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"),
        // Partitions that stay with a member go on while others move.
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("allow.auto.create.topics", "false"),
        // A member that was killed is missed after this long, and its partitions move on.
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "3000"),
        ("fetch.error.backoff.ms", "200"),
        // What is read ahead: bounded, and plenty for one batch after another.
        ("queued.max.messages.kbytes", "32768"),
        ("queued.min.messages", "20000"),
    ];
    let failed = |source| MessagingError::new("join the group", source);
    let client: StreamConsumer<Context> =
        client::config(topic, &settings).create_with_context(Context).map_err(failed)?;
    client.subscribe(&[&topic.name]).map_err(failed)?;
    Ok(client)
}
