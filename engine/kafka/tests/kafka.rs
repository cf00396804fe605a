//! The publisher and the consumer against a real Apache Kafka, at `RECOUNT_TEST_KAFKA`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use recount_core::{EventHash, EventSink, LogName, RecordedEvent, Tag, Tip};
use recount_kafka::{Batch, Consumer, Delivered, Publisher, Topic, ensure_topic, reachable};
use recount_test_support::{eventually, kafka_brokers};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(180);

fn new_topic() -> Topic {
    let brokers = kafka_brokers();
    let unique = random_name();
    Topic { partitions: 3, ..Topic::at(brokers).named(format!("test.{unique}")) }
}

/// Random enough for a unique name.
fn random_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

fn log(name: &str) -> LogName {
    name.parse().unwrap()
}

/// The log that all tests write, unless they say otherwise.
const DEPLOYMENT: Uuid = Uuid::from_u128(1);

/// Events of the log of this name in the first deployment.
fn events(log: &LogName, positions: std::ops::RangeInclusive<i64>) -> Vec<RecordedEvent> {
    let all = events_after(Tip::origin(DEPLOYMENT, log), log, *positions.end());
    all.into_iter().filter(|event| positions.contains(&event.position.0)).collect()
}

/// The next events after a tip, up to a position.
fn events_after(tip: Tip, log: &LogName, last: i64) -> Vec<RecordedEvent> {
    let mut tip = tip;
    let mut events = Vec::new();
    while tip.position.0 < last {
        let position = tip.position.next();
        let mut event = RecordedEvent {
            log: log.key(),
            position,
            id: Uuid::from_u64_pair(log.key().0.cast_unsigned(), position.0.cast_unsigned()),
            event_type: "counted".to_owned(),
            version: 1,
            tags: vec![Tag::new("counter", "one")],
            data: format!("{{\"n\":{position}}}"),
            meta: "{}".to_owned(),
            recorded_at: "2026-11-21T09:30:00.000120Z".parse().unwrap(),
            previous: tip.hash,
            hash: tip.hash,
        };
        event.hash = EventHash::of(tip.hash, &event.envelope());
        tip = Tip::at(&event);
        events.push(event);
    }
    events
}

/// The next batch. If Kafka is not ready, the error must be retryable, and the batch is empty.
async fn next(consumer: &mut Consumer, max: usize, max_wait: Duration) -> Batch {
    match consumer.next_batch(max, max_wait).await {
        Ok(batch) => batch,
        Err(error) => {
            assert!(error.retryable(), "{error:?}");
            Batch::default()
        }
    }
}

/// Waits until the topic is reachable, or until it is not.
async fn until_reachable(topic: &Topic, expected: bool) {
    let until = Instant::now() + TIMEOUT;
    while reachable(topic).await != expected {
        assert!(Instant::now() < until, "{topic:?} is not there or does not go away");
    }
}

/// Reads and commits until this many different positions of the log were seen.
async fn read_until(consumer: &mut Consumer, log: &LogName, wanted: usize) -> BTreeSet<i64> {
    let until = Instant::now() + TIMEOUT;
    let mut seen = BTreeSet::new();
    while seen.len() < wanted {
        assert!(Instant::now() < until, "{} of {wanted} events came within {TIMEOUT:?}", seen.len());
        let batch = next(consumer, 500, Duration::from_millis(500)).await;
        seen.extend(batch.events.iter().filter(|(name, _)| name == log).map(|(_, event)| event.position.0));
        consumer.commit(&batch);
    }
    seen
}

async fn delete(topic: &Topic) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &topic.brokers).create().unwrap();
    admin.delete_topics(&[&topic.name], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

#[tokio::test]
async fn events_are_consumed_in_order_and_byte_for_byte() {
    let topic = new_topic();
    assert!(!reachable(&topic).await);
    ensure_topic(&topic).await.unwrap();
    until_reachable(&topic, true).await;
    let name = log("main");
    let written = events(&name, 1..=5_000);
    let delivered = Publisher::new(&topic).unwrap().publish(&name, &written).await;
    assert_eq!(delivered.prefix, 5_000);
    assert!(delivered.error.is_none());

    let mut consumer = Consumer::new(&topic, "readers").unwrap();
    let mut read = Vec::new();
    let until = Instant::now() + TIMEOUT;
    while read.len() < written.len() && Instant::now() < until {
        let batch = next(&mut consumer, 700, Duration::from_secs(1)).await;
        assert!(batch.events.len() <= 700);
        assert!(batch.rejected.is_empty());
        read.extend(batch.events.into_iter().map(|(_, event)| event));
    }
    assert_eq!(read, written);
    consumer.close().await;
}

#[tokio::test]
async fn a_topic_may_be_ensured_repeatedly_and_concurrently() {
    let topic = new_topic();
    let (one, two, three) = tokio::join!(ensure_topic(&topic), ensure_topic(&topic), ensure_topic(&topic));
    one.and(two).and(three).unwrap();
    let grown = Topic { partitions: 7, ..topic.clone() };
    ensure_topic(&grown).await.unwrap();
}

#[tokio::test]
async fn a_member_that_comes_back_continues_after_the_committed_events() {
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let name = log("main");
    let publisher = Publisher::new(&topic).unwrap();
    assert_eq!(publisher.publish(&name, &events(&name, 1..=100)).await.prefix, 100);
    let mut first = Consumer::new(&topic, "readers").unwrap();
    read_until(&mut first, &name, 100).await;
    first.close().await;

    assert_eq!(publisher.publish(&name, &events(&name, 101..=150)).await.prefix, 50);
    let mut second = Consumer::new(&topic, "readers").unwrap();
    let seen = read_until(&mut second, &name, 50).await;
    assert_eq!(seen, (101..=150).collect());
    second.close().await;
}

#[tokio::test]
async fn events_that_were_not_committed_are_delivered_again() {
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let name = log("main");
    let publisher = Publisher::new(&topic).unwrap();
    assert_eq!(publisher.publish(&name, &events(&name, 1..=20)).await.prefix, 20);
    let mut first = Consumer::new(&topic, "readers").unwrap();
    let until = Instant::now() + TIMEOUT;
    while next(&mut first, 20, Duration::from_secs(1)).await.is_empty() {
        assert!(Instant::now() < until, "nothing came");
    }
    first.close().await;
    let mut second = Consumer::new(&topic, "readers").unwrap();
    assert_eq!(read_until(&mut second, &name, 20).await.len(), 20);
    second.close().await;
}

#[tokio::test]
async fn a_second_member_shares_the_work_and_no_event_is_lost() {
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let publisher = Publisher::new(&topic).unwrap();
    let names: Vec<LogName> = (0..12).map(|n| log(&format!("log-{n}"))).collect();
    let mut one = Consumer::new(&topic, "readers").unwrap();
    let mut two = None;
    let mut seen = BTreeSet::new();
    let mut by_two = 0;
    let mut published = 0;
    let until = Instant::now() + TIMEOUT;
    while by_two == 0 || seen.len() < names.len() * published {
        assert!(
            Instant::now() < until,
            "{} of {} came, {by_two} to the second",
            seen.len(),
            names.len() * published
        );
        if by_two == 0 {
            published += 1;
            let position = i64::try_from(published).unwrap();
            for name in &names {
                assert_eq!(publisher.publish(name, &events(name, position..=position)).await.prefix, 1);
            }
        }
        for (member, consumer) in std::iter::once(&mut one).chain(&mut two).enumerate() {
            let batch = next(consumer, 1_000, Duration::from_millis(200)).await;
            by_two += member * batch.events.len();
            seen.extend(batch.events.iter().map(|(name, event)| (name.clone(), event.position)));
            consumer.commit(&batch);
        }
        if two.is_none() && !seen.is_empty() {
            two = Some(Consumer::new(&topic, "readers").unwrap());
        }
    }
    one.close().await;
}

#[tokio::test]
async fn a_record_that_is_not_an_event_is_reported_and_skipped() {
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &topic.brokers).create().unwrap();
    for record in [
        BaseRecord::to(&topic.name).partition(0).key("main").payload("no headers"),
        BaseRecord::to(&topic.name).partition(0).key("main"),
    ] {
        assert!(producer.send(record).is_ok());
    }
    producer.flush(TIMEOUT).unwrap();
    let name = log("main");
    let publisher = Publisher::new(&topic).unwrap();
    assert_eq!(publisher.publish(&name, &events(&name, 1..=3)).await.prefix, 3);

    let mut consumer = Consumer::new(&topic, "readers").unwrap();
    let (mut read, mut rejected) = (0, Vec::new());
    let until = Instant::now() + TIMEOUT;
    while read < 3 || rejected.len() < 2 {
        assert!(Instant::now() < until, "{read} events and {rejected:?} came");
        let batch = next(&mut consumer, 100, Duration::from_secs(1)).await;
        read += batch.events.len();
        rejected.extend(batch.rejected.iter().map(|rejected| (rejected.partition, rejected.offset)));
        consumer.commit(&batch);
    }
    assert_eq!(rejected, [(0, 0), (0, 1)]);
    consumer.close().await;
}

#[tokio::test]
async fn an_unreachable_kafka_is_a_retryable_error_after_a_timeout() {
    // A port that is bound, but on which nobody listens.
    let unused = tokio::net::TcpSocket::new_v4().unwrap();
    unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let topic = Topic::at(unused.local_addr().unwrap().to_string());
    let started = Instant::now();
    assert!(!reachable(&topic).await);
    assert!(ensure_topic(&topic).await.unwrap_err().retryable());
    let name = log("main");
    let delivered = Publisher::new(&topic).unwrap().publish(&name, &events(&name, 1..=3)).await;
    assert_eq!(delivered.prefix, 0);
    assert!(delivered.error.unwrap().retryable());
    let mut consumer = Consumer::new(&topic, "readers").unwrap();
    match consumer.next_batch(10, Duration::from_millis(200)).await {
        Ok(batch) => assert!(batch.is_empty()),
        Err(error) => assert!(error.retryable(), "{error:?}"),
    }
    consumer.close().await;
    assert!(started.elapsed() < TIMEOUT);
}

#[tokio::test]
async fn publisher_and_consumer_continue_after_a_topic_was_recreated() {
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let name = log("main");
    let publisher = Publisher::new(&topic).unwrap();
    assert_eq!(publisher.publish(&name, &events(&name, 1..=10)).await.prefix, 10);
    let mut consumer = Consumer::new(&topic, "readers").unwrap();
    read_until(&mut consumer, &name, 10).await;

    delete(&topic).await;
    // Until the topic is gone, events may still be published to it and be lost.
    until_reachable(&topic, false).await;
    let until = Instant::now() + TIMEOUT;
    let mut rest = events(&name, 11..=15);
    while !rest.is_empty() {
        assert!(Instant::now() < until, "the publisher did not continue");
        let delivered = publisher.publish(&name, &rest).await;
        assert!(delivered.error.is_none_or(|error| error.retryable()));
        rest.drain(..delivered.prefix);
    }
    assert!(read_until(&mut consumer, &name, 1).await.iter().all(|position| *position > 10));
    consumer.close().await;
}

/// Keeps what it is fed.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<(Vec<RecordedEvent>, usize)>>);

impl EventSink for Kept {
    type Error = std::convert::Infallible;

    async fn feed(&self, _log: &LogName, events: &[RecordedEvent]) -> Result<(), Self::Error> {
        self.0.lock().unwrap().0.extend_from_slice(events);
        Ok(())
    }

    fn count_unreadable(&self, records: usize) {
        self.0.lock().unwrap().1 += records;
    }
}

#[tokio::test]
async fn a_forged_event_at_the_right_position_is_rejected_and_counted() {
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let name = log("main");
    let publisher = Publisher::new(&topic).unwrap();
    let written = events(&name, 1..=3);
    let mut forged = written[1].clone();
    forged.data = "{\"n\":2000}".to_owned();
    for event in [&written[0], &forged, &written[1], &written[2]] {
        let Delivered { prefix, error } = publisher.publish(&name, std::slice::from_ref(event)).await;
        assert!(prefix == 1 && error.is_none());
    }
    let (kept, stopping) = (Kept::default(), CancellationToken::new());
    let following =
        tokio::spawn(recount_kafka::follow(kept.clone(), topic, "readers", stopping.clone()).unwrap());
    eventually(TIMEOUT, "all events are fed", || async { kept.0.lock().unwrap().0.len() >= 3 }).await;
    assert_eq!(*kept.0.lock().unwrap(), (written, 1));
    stopping.cancel();
    following.await.unwrap();
}

/// Each of these events is authentic. Only the sink knows which ones are of its log.
#[tokio::test]
async fn events_of_another_log_of_the_same_name_and_of_a_lost_history_reach_the_sink() {
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let name = log("main");
    let ours = events(&name, 1..=3);
    let theirs = events_after(Tip::origin(Uuid::from_u128(2), &name), &name, 3);
    // The log has lost its last event and went on in another way.
    let mut other = ours[2].clone();
    other.data = "{}".to_owned();
    other.hash = EventHash::of(other.previous, &other.envelope());
    let publisher = Publisher::new(&topic).unwrap();
    for events in [&ours[..], &theirs, &ours[..2], std::slice::from_ref(&other)] {
        assert_eq!(publisher.publish(&name, events).await.prefix, events.len());
    }
    let (kept, stopping) = (Kept::default(), CancellationToken::new());
    let following =
        tokio::spawn(recount_kafka::follow(kept.clone(), topic, "readers", stopping.clone()).unwrap());
    let expected: HashSet<EventHash> =
        ours.iter().chain(&theirs).chain([&other]).map(|event| event.hash).collect();
    assert_eq!(expected.len(), 7);
    eventually(TIMEOUT, "all histories are fed", || async {
        let fed: HashSet<EventHash> = kept.0.lock().unwrap().0.iter().map(|event| event.hash).collect();
        fed == expected
    })
    .await;
    stopping.cancel();
    following.await.unwrap();
}
