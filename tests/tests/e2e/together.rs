//! Two command services on the same ledgers at the same time, without any routing between them.

use std::collections::HashMap;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recount_tests::http::Answer;
use recount_tests::ledger::{LedgerClient, payment};
use recount_tests::load::Load;
use recount_tests::process::Process;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::topic;

const CLIENTS: usize = 4;

/// Sends the same payment to both services at the same time, with or without an idempotency key.
async fn race(ledgers: &[LedgerClient], data: &Value, key: Option<&str>) -> [Answer; 2] {
    let ask = |ledger: &LedgerClient| {
        let ask = ledger.command("post-transaction", data);
        match key {
            Some(key) => ask.header("idempotency-key", key).answer(),
            None => ask.answer(),
        }
    };
    let (one, other) = tokio::join!(ask(&ledgers[0]), ask(&ledgers[1]));
    [one, other]
}

#[tokio::test]
async fn a_command_that_is_sent_to_both_services_happens_once() {
    let deployment = Deployment::start().await;
    let ledgers = deployment.ledgers("main");
    ledgers[0].set_up().await;
    for n in 0..30 {
        // The services choose the id of the transaction, so only the key shows that it is the same command.
        let mut data = payment("");
        data.as_object_mut().unwrap().remove("transaction");
        let [one, other] = race(&ledgers, &data, Some(&format!("key-{n}"))).await;
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{one} {other}");
        assert_eq!(one.json(), other.json());

        let [one, other] = race(&ledgers, &payment(&format!("payment-{n}")), None).await;
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{one} {other}");
        let happened = [&one, &other].map(|answer| answer.json()["events"].as_array().unwrap().len());
        assert_eq!(happened.iter().sum::<usize>(), 1, "{one} {other}");
    }
    let events = ledgers[0].check(&[]).await;
    let posted = events.iter().filter(|event| event["type"] == "transaction-posted").count();
    assert_eq!(posted, 60);
}

#[tokio::test]
async fn money_is_spent_once_however_many_requests_compete_for_it() {
    let deployment = Deployment::start().await;
    let ledgers = deployment.ledgers("main");
    ledgers[0].set_up().await;
    // Alice gets 100, and twenty requests to both services want 10 each.
    ledgers[0].pay("salary").await;
    let spend = |n: usize| {
        let transfer = json!({"debit": "users:alice", "credit": "bank", "asset": "USD/2", "amount": "10"});
        let data = json!({"transaction": format!("spend-{n}"), "transfers": [transfer]});
        let ask = ledgers[n % 2].command("post-transaction", &data);
        tokio::spawn(ask.answer())
    };
    let asked: Vec<_> = (0..20).map(spend).collect();
    let mut answered: HashMap<(u16, String), usize> = HashMap::new();
    for ask in asked {
        let answer = ask.await.unwrap();
        *answered.entry((answer.status.as_u16(), answer.code())).or_default() += 1;
    }
    assert_eq!(answered.remove(&(200, String::new())), Some(10), "{answered:?}");
    assert_eq!(answered.remove(&(422, "insufficient-funds".to_owned())), Some(10), "{answered:?}");
    ledgers[0].check(&[]).await;
}

#[tokio::test]
async fn many_ledgers_are_written_at_the_same_time_and_each_has_its_log() {
    let deployment = Deployment::start().await;
    let names: Vec<String> = (0..40).map(|n| format!("ledger-{n}")).collect();
    let writing = names.iter().map(|name| {
        let ledgers = deployment.ledgers(name);
        tokio::spawn(async move {
            ledgers[0].set_up().await;
            let mut acknowledged = Vec::new();
            for n in 0..5 {
                acknowledged.push(ledgers[n % 2].pay(&format!("payment-{n}")).await);
            }
            (ledgers[0].name.clone(), ledgers[0].check(&acknowledged).await)
        })
    });
    let mut logs = HashMap::new();
    for written in writing.collect::<Vec<_>>() {
        let (name, events) = written.await.unwrap();
        logs.insert(name, events);
    }
    topic::carries(&deployment.topic, &logs).await;
}

fn signal(process: &Process, signal: Signal) {
    kill(Pid::from_raw(process.id()), signal).unwrap();
}

#[tokio::test]
async fn a_paused_service_is_replaced_and_does_no_harm_when_it_resumes() {
    let deployment = Deployment::start().await;
    let ledgers = deployment.ledgers("main");
    ledgers[0].set_up().await;
    let mut load = Load::start(&ledgers, "load", CLIENTS);
    load.more(50).await;
    for sleeper in [0, 1] {
        signal(&deployment.commands[sleeper], Signal::SIGSTOP);
        load.more(50).await;
        // The other one takes over all its work, such as the relay of the log.
        let log = ledgers[0].events().await;
        topic::carries_main(&deployment.topic, log).await;
        signal(&deployment.commands[sleeper], Signal::SIGCONT);
        load.more(50).await;
    }
    let events = ledgers[0].check(&load.finish().await).await;
    topic::carries_main(&deployment.topic, events).await;
}
