//! Producing the events of a log, in order, with a count of what certainly arrived.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use recount_core::{LogName, RecordedEvent};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::warn;

use crate::client::{self, Context};
use crate::error::{MessagingError, is_missing_topic};
use crate::record;
use crate::topic::{RECORD_BYTES_MAX, Topic, ensure_topic};

/// How long a record may be under way before it counts as not delivered. Long enough for a cluster to elect a new
/// leader after a broker died (seen: 6 s), short enough that a dead Kafka is noticed.
const DELIVERY_MS_MAX: &str = "15000";
/// What may be under way at once, over all callers. One permit is a kibibyte, and each record takes at least one:
/// so the one number bounds both the bytes (64 MiB) and the records (65,536). librdkafka's own queue is larger, so
/// that it is never full.
const IN_FLIGHT_KIB_MAX: u32 = 64 * 1024;
const QUEUE_KIB_MAX: &str = "262144";
const QUEUE_RECORDS_MAX: &str = "200000";
/// What headers and bookkeeping add to a record, about.
const OVERHEAD_BYTES: usize = 400;

/// Publishes events to the topic. Shared by reference; any number of logs may be published at once.
pub struct Publisher {
    topic: Topic,
    producer: Mutex<Incarnation>,
    in_flight: Semaphore,
}

#[derive(Clone)]
struct Incarnation {
    number: u64,
    producer: FutureProducer<Context>,
}

/// What became of a call to publish.
#[derive(Debug)]
#[must_use = "only the delivered prefix is on the topic for certain"]
pub struct Delivered {
    /// So many events, from the first on, are on the topic for certain. Those after them may be there or not.
    pub prefix: usize,
    /// Why it is not all of them.
    pub error: Option<MessagingError>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Publisher {
    /// A publisher to this topic. Connects in the background: a Kafka that is not there is no error here.
    pub fn new(topic: &Topic) -> Result<Publisher, MessagingError> {
        Ok(Publisher {
            topic: topic.clone(),
            producer: Mutex::new(Incarnation { number: 0, producer: connect(topic)? }),
            in_flight: Semaphore::new(IN_FLIGHT_KIB_MAX as usize),
        })
    }

    /// Publishes these events of the log in order and waits until each is acknowledged by all in-sync replicas, or
    /// has failed, which takes bounded time also when Kafka is gone.
    ///
    /// After an error the events beyond the prefix are published again by the caller: the repeats are duplicates
    /// for consumers, who compare positions.
    pub async fn publish(&self, log: &LogName, events: &[RecordedEvent]) -> Delivered {
        let incarnation = self.current();
        let mut sent = Sent::default();
        for event in events {
            let permit = self.permit_for(event, &mut sent).await;
            if sent.failure.is_some() {
                break;
            }
            let record = FutureRecord::to(&self.topic.name)
                .key(log.as_str())
                .payload(&event.data)
                .timestamp(event.recorded_at.timestamp_millis())
                .headers(record::headers(log, event));
            match incarnation.producer.send_result(record) {
                Ok(delivery) => sent.waiting.push_back((delivery, permit)),
                Err((error, _)) => {
                    sent.failure = Some(error);
                    break;
                }
            }
        }
        while !sent.waiting.is_empty() {
            sent.settle_oldest().await;
        }
        let error = match sent.failure {
            None => None,
            Some(source) => {
                self.recover(incarnation, &source).await;
                Some(MessagingError::new("take the events", source))
            }
        };
        Delivered { prefix: sent.delivered, error }
    }

    /// Waits for room, by settling what this call itself has under way before waiting for others: so callers that
    /// fill the room between them never wait for each other in a circle.
    async fn permit_for(&self, event: &RecordedEvent, sent: &mut Sent<'_>) -> SemaphorePermit<'_> {
        const OPEN: &str = "the semaphore lives as long as the publisher and is never closed";
        let bytes = event.data.len() + event.meta.len() + OVERHEAD_BYTES;
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(IN_FLIGHT_KIB_MAX);
        while !sent.waiting.is_empty() {
            if let Ok(permit) = self.in_flight.try_acquire_many(kib) {
                return permit;
            }
            sent.settle_oldest().await;
        }
        self.in_flight.acquire_many(kib).await.expect(OPEN)
    }

    fn current(&self) -> Incarnation {
        // Poisoned means that another caller panicked between two plain assignments: the value is whole.
        self.producer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn recover(&self, failed: Incarnation, error: &KafkaError) {
        if is_missing_topic(error)
            && let Err(error) = ensure_topic(&self.topic).await
        {
            warn!(topic = self.topic.name, %error, "the topic is missing and could not be made");
        }
        if let Some((code, reason)) = failed.producer.client().fatal_error() {
            warn!(%code, reason, "the producer cannot go on and is replaced");
            self.replace(failed.number);
        }
        // Dropping the last clone of a dead producer joins its thread: not on a thread of the runtime.
        tokio::task::spawn_blocking(move || drop(failed));
    }

    /// Puts a new producer in the place of this one, once however many callers saw it fail.
    fn replace(&self, failed: u64) {
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number != failed {
            return;
        }
        match connect(&self.topic) {
            Ok(producer) => {
                *current = Incarnation { number: failed + 1, producer };
            }
            Err(error) => warn!(%error, "a new producer could not be made; the next call tries again"),
        }
    }
}

fn connect(topic: &Topic) -> Result<FutureProducer<Context>, MessagingError> {
    let settings = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        // The partitioner of the Java client, so that other producers and tools agree where a key lies.
        ("partitioner", "murmur2_random"),
        ("compression.type", "lz4"),
        // Waits for company no longer than this: callers hand over batches, and somebody waits for the answer.
        ("linger.ms", "1"),
        ("message.timeout.ms", DELIVERY_MS_MAX),
        ("message.max.bytes", RECORD_BYTES_MAX),
        ("queue.buffering.max.messages", QUEUE_RECORDS_MAX),
        ("queue.buffering.max.kbytes", QUEUE_KIB_MAX),
    ];
    client::config(topic, &settings)
        .create_with_context(Context)
        .map_err(|source| MessagingError::new("start a producer", source))
}

/// What one call has sent: in order, each with its share of the room.
#[derive(Default)]
struct Sent<'a> {
    waiting: VecDeque<(DeliveryFuture, SemaphorePermit<'a>)>,
    delivered: usize,
    failure: Option<KafkaError>,
}

impl Sent<'_> {
    async fn settle_oldest(&mut self) {
        let Some((delivery, permit)) = self.waiting.pop_front() else {
            return;
        };
        let outcome = match delivery.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(error),
            // The producer was dropped before it knew.
            Err(_) => Err(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeInflight)),
        };
        drop(permit);
        match outcome {
            Ok(()) if self.failure.is_none() => self.delivered += 1,
            // Beyond the first failure: delivered, and not part of the prefix.
            Ok(()) => {}
            Err(error) => {
                self.failure.get_or_insert(error);
            }
        }
    }
}
