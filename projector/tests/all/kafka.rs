//! The engine with a real Apache Kafka, including records that Kafka never delivers.

use crate::support::{PATIENCE, Tally, World, log, until};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use recount_core::{LogName, Position};
use recount_kafka::{MessagingError, Publisher, Topic, ensure_topic};
use recount_projection::{ProjectionEngine, repair_from_store};
use recount_service_kit::ids;
use recount_test_support::free_address;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

fn new_topic() -> Topic {
    let brokers = recount_test_support::kafka_brokers();
    Topic { partitions: 3, ..Topic::at(brokers).named(format!("test.{}", ids::new_id().simple())) }
}

fn follow(engine: &ProjectionEngine<Tally>, topic: &Topic, token: &CancellationToken) -> JoinHandle<()> {
    let following = recount_kafka::follow(engine.clone(), topic.clone(), &topic.name, token.clone()).unwrap();
    let repair = repair_from_store(engine.clone(), token.clone());
    tokio::spawn(async move {
        tokio::join!(following, repair);
    })
}

/// Publishes the log's events after a position, as the relay does.
async fn publish(world: &World, publisher: &Publisher, name: &LogName, after: i64) {
    let mut events = world.store.reader().read(name.key(), Position(after), 10_000).await.unwrap();
    let until = Instant::now() + PATIENCE;
    while !events.is_empty() {
        assert!(Instant::now() < until, "{} events are not delivered", events.len());
        let delivered = publisher.publish(name, &events).await;
        assert!(delivered.error.as_ref().is_none_or(MessagingError::retryable), "{delivered:?}");
        events.drain(..delivered.prefix);
    }
}

#[tokio::test]
async fn events_that_are_published_twice_are_applied_once() {
    let world = World::new().await;
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let publisher = Publisher::new(&topic).unwrap();
    let names: Vec<LogName> = (0..5).map(|n| log(&format!("log-{n}"))).collect();
    for name in &names {
        world.count(name, 300).await;
        publish(&world, &publisher, name, 0).await;
        publish(&world, &publisher, name, 100).await;
    }
    let engine = world.engine(Tally::default()).await;
    let token = CancellationToken::new();
    let task = follow(&engine, &topic, &token);
    for name in &names {
        until("all events are tallied", async || world.tallied(name).await == 300).await;
    }
    token.cancel();
    task.await.unwrap();
    assert_eq!(engine.status().report().events_applied, 1_500);
}

#[tokio::test]
async fn events_of_a_deleted_topic_are_read_from_the_store() {
    let world = World::new().await;
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    let publisher = Publisher::new(&topic).unwrap();
    let main = log("main");
    world.count(&main, 50).await;
    publish(&world, &publisher, &main, 0).await;
    let engine = world.engine(Tally::default()).await;
    let token = CancellationToken::new();
    let task = follow(&engine, &topic, &token);
    until("the published events are tallied", async || world.tallied(&main).await == 50).await;

    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &topic.brokers).create().unwrap();
    admin.delete_topics(&[&topic.name], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    world.count(&main, 30).await;
    until("the unpublished events are tallied", async || world.tallied(&main).await == 80).await;

    // The topic exists again but is empty: the gap is read from the store.
    ensure_topic(&topic).await.unwrap();
    world.count(&main, 20).await;
    publish(&world, &publisher, &main, 95).await;
    until("the later events are tallied", async || world.tallied(&main).await == 100).await;
    token.cancel();
    task.await.unwrap();
    assert_eq!(engine.status().report().events_applied, 100);
}

#[tokio::test]
async fn without_kafka_the_build_is_kept_up_to_date_from_the_store() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 2_500).await;
    // No broker listens at this address.
    let topic = Topic::at(free_address().to_string());
    let engine = world.engine(Tally::default()).await;
    let token = CancellationToken::new();
    let task = follow(&engine, &topic, &token);
    until("all events are tallied", async || world.tallied(&main).await == 2_500).await;
    world.count(&main, 1).await;
    until("the next event is tallied", async || world.tallied(&main).await == 2_501).await;
    token.cancel();
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
}
