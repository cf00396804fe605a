//! Publishing the events of a log in order, with a count of those that certainly arrived.

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

/// How long the delivery of a record may take, in milliseconds. A cluster has time to elect a new leader after a broker
/// died (measured: 6 s), and a dead Kafka is noticed soon.
const DELIVERY_TIMEOUT_MS: &str = "15000";
/// The size of the records in flight, over all callers. A permit stands for a kibibyte and a record takes at least one,
/// so this limits both the bytes (64 MiB) and the records (65,536). The queue of librdkafka is larger, so it is never
/// full.
const IN_FLIGHT_KIB_MAX: u32 = 64 * 1024;
const QUEUE_KIB_MAX: &str = "262144";
const QUEUE_RECORDS_MAX: &str = "200000";
/// About how many bytes the headers and the bookkeeping add to a record.
const OVERHEAD_BYTES: usize = 600;

/// Publishes events to the topic. Shared by reference; any number of logs may be published at once.
pub struct Publisher {
    topic: Topic,
    producer: Mutex<CurrentProducer>,
    in_flight: Semaphore,
}

/// The producer in use. After a fatal error a new producer with the next generation replaces it.
#[derive(Clone)]
struct CurrentProducer {
    generation: u64,
    producer: FutureProducer<Context>,
}

/// The outcome of a call to publish.
#[derive(Debug)]
#[must_use = "only the delivered prefix is on the topic for certain"]
pub struct Delivered {
    /// The number of events, from the first one on, that are certainly on the topic. The others may be there or not.
    pub prefix: usize,
    /// Why not all events are certainly there.
    pub error: Option<MessagingError>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Publisher {
    /// A publisher to this topic. Connects in the background, so an unreachable Kafka is not an error here.
    pub fn new(topic: &Topic) -> Result<Publisher, MessagingError> {
        Ok(Publisher {
            topic: topic.clone(),
            producer: Mutex::new(CurrentProducer { generation: 0, producer: connect(topic)? }),
            in_flight: Semaphore::new(IN_FLIGHT_KIB_MAX as usize),
        })
    }

    /// Publishes events of the log in order. Waits until all in-sync replicas have acknowledged each of them, or until
    /// its delivery has failed. If Kafka is unreachable, that happens after a timeout.
    ///
    /// After an error the caller publishes the events beyond the prefix again. Consumers may see duplicates, and skip
    /// them by position and hash.
    pub async fn publish(&self, log: &LogName, events: &[RecordedEvent]) -> Delivered {
        let current = self.current();
        let mut sent = SentRecords::default();
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
            match current.producer.send_result(record) {
                Ok(delivery) => sent.in_flight.push_back((delivery, permit)),
                Err((error, _)) => {
                    sent.failure = Some(error);
                    break;
                }
            }
        }
        while !sent.in_flight.is_empty() {
            sent.wait_for_oldest().await;
        }
        let error = match sent.failure {
            None => None,
            Some(source) => {
                self.recover(current, &source).await;
                Some(MessagingError::new("publish the events", source))
            }
        };
        Delivered { prefix: sent.delivered, error }
    }

    /// Waits for permits. While this call has records in flight, it waits for those and not for other callers, so
    /// callers that hold all permits between them never deadlock.
    async fn permit_for(&self, event: &RecordedEvent, sent: &mut SentRecords<'_>) -> SemaphorePermit<'_> {
        const OPEN: &str = "the semaphore lives as long as the publisher and is never closed";
        let bytes = event.data.len() + event.meta.len() + OVERHEAD_BYTES;
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(IN_FLIGHT_KIB_MAX);
        while !sent.in_flight.is_empty() {
            if let Ok(permit) = self.in_flight.try_acquire_many(kib) {
                return permit;
            }
            sent.wait_for_oldest().await;
        }
        self.in_flight.acquire_many(kib).await.expect(OPEN)
    }

    fn current(&self) -> CurrentProducer {
        // Poisoned means that another caller panicked between two plain assignments, so the value is valid.
        self.producer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn recover(&self, failed: CurrentProducer, error: &KafkaError) {
        if is_missing_topic(error)
            && let Err(error) = ensure_topic(&self.topic).await
        {
            warn!(topic = self.topic.name, %error, "the topic is missing and could not be created");
        }
        if let Some((code, reason)) = failed.producer.client().fatal_error() {
            warn!(%code, reason, "the producer cannot continue and is replaced");
            self.replace(failed.generation);
        }
        // Dropping the last clone of a producer joins its thread, so it must not happen on a thread of the runtime.
        tokio::task::spawn_blocking(move || drop(failed));
    }

    /// Replaces the producer of this generation, once, however many callers saw it fail.
    fn replace(&self, failed: u64) {
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation != failed {
            return;
        }
        match connect(&self.topic) {
            Ok(producer) => {
                *current = CurrentProducer { generation: failed + 1, producer };
            }
            Err(error) => warn!(%error, "a new producer could not be created; the next call tries again"),
        }
    }
}

fn connect(topic: &Topic) -> Result<FutureProducer<Context>, MessagingError> {
    let settings = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        // The partitioner of the Java client, so that other producers and tools agree on the partition of a key.
        ("partitioner", "murmur2_random"),
        ("compression.type", "lz4"),
        // Hardly waits for more records: callers publish batches, and wait for the outcome.
        ("linger.ms", "1"),
        ("message.timeout.ms", DELIVERY_TIMEOUT_MS),
        ("message.max.bytes", RECORD_BYTES_MAX),
        ("queue.buffering.max.messages", QUEUE_RECORDS_MAX),
        ("queue.buffering.max.kbytes", QUEUE_KIB_MAX),
    ];
    client::config(topic, &settings)
        .create_with_context(Context)
        .map_err(|source| MessagingError::new("start a producer", source))
}

/// The records that one call has sent, in order, each with its permits.
#[derive(Default)]
struct SentRecords<'a> {
    in_flight: VecDeque<(DeliveryFuture, SemaphorePermit<'a>)>,
    delivered: usize,
    failure: Option<KafkaError>,
}

impl SentRecords<'_> {
    async fn wait_for_oldest(&mut self) {
        let Some((delivery, permit)) = self.in_flight.pop_front() else {
            return;
        };
        let outcome = match delivery.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(error),
            // The producer was dropped before it knew the outcome.
            Err(_) => Err(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeInflight)),
        };
        drop(permit);
        match outcome {
            Ok(()) if self.failure.is_none() => self.delivered += 1,
            // Delivered after a failure, so not part of the prefix.
            Ok(()) => {}
            Err(error) => {
                self.failure.get_or_insert(error);
            }
        }
    }
}
