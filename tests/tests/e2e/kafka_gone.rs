//! Kafka dies and comes back: commands and read models keep working, and the topic gets the events that it missed.

use std::time::Duration;

use recount_embedded::{Kafka, kafka};
use recount_kafka::Topic;
use recount_test_support::TestDatabase;
use recount_tests::ledger::LedgerClient;
use recount_tests::load::Load;
use recount_tests::process::{Program, folder, kill_now};

use crate::{first_key, topic};

const CLIENTS: usize = 4;
/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn commands_and_read_models_work_without_kafka_and_the_topic_catches_up() {
    let data = folder();
    let mut kafka = Kafka::start(kafka::Options::new(data.path())).await.unwrap();
    let topic = Topic::at(kafka.bootstrap());
    let database = TestDatabase::create().await;
    let up = Program::listening(["up", "--database-url", database.url(), "--kafka", &topic.brokers]);
    let mut process = up.start().await;
    let client = process.client().with_key(&first_key(&process.stdout()));
    let ledger = LedgerClient::at(&client, "main");
    ledger.set_up().await;

    let mut load = Load::start(std::slice::from_ref(&ledger), "load", CLIENTS);
    load.more(50).await;
    kill_now(kafka.pid());
    kafka.exited().await;
    for _ in 0..3 {
        load.more(50).await;
        let head = ledger.head().await;
        ledger.trial_balance(head).await;
    }
    // It also starts without Kafka.
    process.stop().await;
    process.start_again().await;
    load.more(50).await;

    kafka.restart().await.unwrap();
    assert_eq!(kafka.bootstrap(), topic.brokers, "the address is the same");
    load.more(50).await;
    let events = ledger.check(&load.finish().await).await;
    topic::carries_main(&topic, events).await;
    process.stop().await;
    kafka.stop(TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn an_embedded_kafka_that_dies_is_restarted() {
    let (data, database) = (folder(), TestDatabase::create().await);
    let up = Program::listening(["up", "--database-url", database.url(), "--kafka", "embedded", "--data"]);
    let mut process = up.argument(data.path()).start().await;
    let client = process.client().with_key(&first_key(&process.stdout()));
    let ledger = LedgerClient::at(&client, "main");
    ledger.set_up().await;
    let paid = ledger.pay("before").await;
    let [first] = recount_tests::process::descendants(process.id())[..] else {
        panic!("Kafka is the only child")
    };
    kill_now(first.id);
    recount_tests::process::wait_until_gone(first).await;
    let paid = [paid, ledger.pay("meanwhile").await];
    recount_test_support::eventually(TIMEOUT, "a new Kafka runs", || async {
        matches!(recount_tests::process::descendants(process.id())[..], [second] if second != first)
    })
    .await;
    ledger.check(&paid).await;
    let status = process.stop().await;
    assert!(status.success(), "{status}: {}", process.stderr());
}
