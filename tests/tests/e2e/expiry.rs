//! Holds that expire: the service releases the rest by itself, once.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use recount_service_kit::clock;
use recount_test_support::{TestDatabase, eventually, eventually_some};
use recount_tests::http::Answer;
use recount_tests::ledger::LedgerClient;
use recount_tests::process::{Process, Program};
use serde_json::{Value, json};

use crate::{Up, first_key};

/// A hold expires within a second of its deadline; the rest is for a slow and busy machine.
const EXPIRY_TIMEOUT: Duration = Duration::from_secs(180);

/// How far away a deadline is at first. See [`in_time`].
const SOON: TimeDelta = TimeDelta::seconds(2);

/// A ledger in which Alice has 100.
async fn funded(ledger: &LedgerClient) {
    ledger.set_up().await;
    ledger.pay("salary").await;
}

/// A command that places a hold on Alice's money for Bob.
fn hold(hold: &str, amount: u32, deadline: DateTime<Utc>) -> Value {
    let expires_at = deadline.to_rfc3339_opts(SecondsFormat::Micros, true);
    json!({"command": "hold", "data": {
        "hold": hold, "debit": "users:alice", "credit": "users:bob", "asset": "USD/2", "amount": amount.to_string(),
        "expires_at": expires_at,
    }})
}

/// Submits all of these commands atomically, with a deadline that is near. If the machine is so slow that they are
/// rejected, retries with a later deadline.
async fn in_time(
    ledger: &LedgerClient,
    commands: impl Fn(DateTime<Utc>) -> Vec<Value>,
) -> (Answer, DateTime<Utc>) {
    let mut ahead = SOON;
    loop {
        let deadline = clock::now() + ahead;
        let commands = Value::Array(commands(deadline));
        let answer = ledger.commands.post(ledger.path("/commands?atomic=true"), &commands).answer().await;
        if answer.status.is_success() {
            return (answer, deadline);
        }
        assert_eq!(answer.code(), "deadline-passed", "{answer}");
        ahead = ahead * 2;
    }
}

/// Places a hold on Alice's money for Bob, with a deadline that is near.
async fn place(ledger: &LedgerClient, name: &str, amount: u32) -> (Answer, DateTime<Utc>) {
    in_time(ledger, |deadline| vec![hold(name, amount, deadline)]).await
}

/// The events of the hold.
async fn history(ledger: &LedgerClient, hold: &str) -> Vec<Value> {
    let page = ledger.queries.get(ledger.path(&format!("/events?tag=hold:{hold}"))).ok().await.json();
    page["events"].as_array().unwrap().clone()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Waits until the hold has expired.
async fn wait_until_expired(ledger: &LedgerClient, hold: &str) -> Value {
    eventually_some(EXPIRY_TIMEOUT, &format!("{hold} expires"), || async {
        history(ledger, hold).await.into_iter().find(|event| event["type"] == "hold-expired")
    })
    .await
}

async fn wait_until_passed(deadline: DateTime<Utc>) {
    eventually(EXPIRY_TIMEOUT, "the deadline passes", || async { clock::now() > deadline }).await;
}

/// Alice's balance: posted, held and available.
async fn alice(ledger: &LedgerClient, position: i64) -> [Value; 3] {
    let account = ledger.answer_at("/accounts/users:alice", position).await.json();
    ["posted", "held", "available"].map(|figure| account["balances"][0][figure].clone())
}

#[tokio::test]
async fn a_hold_expires_by_itself_and_its_money_is_available_again() {
    let up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    funded(&ledger).await;
    let (placed, deadline) = place(&ledger, "dinner", 40).await;
    let placed = placed.position();
    let (held, shown) =
        (alice(&ledger, placed).await, ledger.answer_at("/holds/dinner", placed).await.json());
    // Unless the machine is so slow that the deadline has passed.
    if clock::now() < deadline {
        assert_eq!(held, ["100", "40", "60"]);
        assert_eq!(shown["status"], "open");
    }

    let event = wait_until_expired(&ledger, "dinner").await;
    assert_eq!(event["data"]["amount"], "40");
    assert!(event["recorded_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap() >= deadline, "{event}");
    let placed_by = &history(&ledger, "dinner").await[0]["meta"]["actor"];
    assert_ne!(&event["meta"]["actor"], placed_by, "it was not a caller");

    let position = event["position"].as_i64().unwrap();
    assert_eq!(alice(&ledger, position).await, ["100", "0", "100"]);
    let hold = ledger.answer_at("/holds/dinner", position).await.json();
    assert_eq!([&hold["status"], &hold["released"], &hold["remaining"]], ["expired", "40", "0"]);

    let late = ledger.command("capture", &json!({"hold": "dinner"})).answer().await;
    assert_eq!((late.status.as_u16(), &*late.code()), (409, "hold-expired"), "{late}");
    let again = ledger.command("expire", &json!({"hold": "dinner"})).ok().await;
    assert_eq!(again.json()["events"], json!([]), "{again}");
    assert_eq!(types(&history(&ledger, "dinner").await), ["hold-placed", "hold-expired"]);
    ledger.check(&[]).await;
}

#[tokio::test]
async fn only_the_uncaptured_part_of_a_hold_expires() {
    let up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    funded(&ledger).await;
    in_time(&ledger, |deadline| {
        let mut commands = ["whole", "released", "part"].map(|name| hold(name, 30, deadline)).to_vec();
        commands.extend([
            json!({"command": "capture", "data": {"hold": "whole"}}),
            json!({"command": "release", "data": {"hold": "released"}}),
            json!({"command": "capture", "data": {"hold": "part", "amount": "10"}}),
            // It expires later than the others: once it has expired, they would have too.
            hold("witness", 1, deadline + TimeDelta::seconds(1)),
        ]);
        commands
    })
    .await;

    let rest = wait_until_expired(&ledger, "part").await;
    assert_eq!(rest["data"]["amount"], "20");
    let witness = wait_until_expired(&ledger, "witness").await;
    assert_eq!(types(&history(&ledger, "whole").await), ["hold-placed", "transaction-posted"]);
    assert_eq!(types(&history(&ledger, "released").await), ["hold-placed", "hold-released"]);
    assert_eq!(alice(&ledger, witness["position"].as_i64().unwrap()).await, ["60", "0", "60"]);
}

#[tokio::test]
async fn a_deadline_that_passes_during_a_stop_is_met_once_after_the_start() {
    let mut up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    funded(&ledger).await;
    let (_, deadline) = place(&ledger, "overnight", 40).await;
    up.process.kill().await;
    wait_until_passed(deadline).await;

    up.process.start_again().await;
    // The hold has expired, even if the service has not recorded that yet.
    let late = ledger.command("capture", &json!({"hold": "overnight"})).answer().await;
    assert_eq!(late.code(), "hold-expired", "{late}");
    let event = wait_until_expired(&ledger, "overnight").await;
    assert_eq!(alice(&ledger, event["position"].as_i64().unwrap()).await, ["100", "0", "100"]);

    up.process.kill().await;
    up.process.start_again().await;
    place(&ledger, "witness", 1).await;
    wait_until_expired(&ledger, "witness").await;
    assert_eq!(types(&history(&ledger, "overnight").await), ["hold-placed", "hold-expired"]);
    ledger.check(&[]).await;
}

/// Two command services on one database, and the roles for queries.
struct Pair {
    commands: [Process; 2],
    _others: [Process; 2],
    ledgers: Vec<LedgerClient>,
    /// Dropped after the processes that use it.
    _database: TestDatabase,
}

impl Pair {
    async fn start() -> Pair {
        let database = TestDatabase::create().await;
        let migrated = Program::new(["migrate", "--database-url", database.url()]).run_ok().await;
        let key = first_key(&migrated.stdout);
        let role = |name| Program::listening([name, "--database-url", database.url()]);
        let roles =
            [role("command-service"), role("command-service"), role("projector"), role("query-service")];
        let (one, other, projector, queries) =
            tokio::join!(roles[0].start(), roles[1].start(), roles[2].start(), roles[3].start());
        let commands = [one, other];
        let through = |process: &Process| LedgerClient {
            commands: process.client().with_key(&key),
            queries: queries.client().with_key(&key),
            name: "main".to_owned(),
        };
        let ledgers = commands.iter().map(through).collect();
        Pair { commands, _others: [projector, queries], ledgers, _database: database }
    }

    /// Places many holds through both services. Returns their names and the latest deadline.
    async fn place(&self, name: &str) -> (Vec<String>, DateTime<Utc>) {
        let names: [Vec<String>; 2] =
            [0, 1].map(|service| (0..15).map(|n| format!("{name}-{service}-{n}")).collect());
        let place = |service: usize| {
            let names = &names[service];
            in_time(&self.ledgers[service], move |deadline| {
                names.iter().map(|name| hold(name, 1, deadline)).collect()
            })
        };
        let ((_, one), (_, other)) = tokio::join!(place(0), place(1));
        (names.concat(), one.max(other))
    }
}

#[tokio::test]
async fn two_services_let_each_hold_expire_once_even_if_one_is_killed() {
    let mut pair = Pair::start().await;
    let ledgers = pair.ledgers.clone();
    funded(&ledgers[0]).await;
    let (both, _) = pair.place("both").await;
    for hold in &both {
        wait_until_expired(&ledgers[0], hold).await;
    }

    let (one, deadline) = pair.place("one").await;
    wait_until_passed(deadline).await;
    pair.commands[0].kill().await;
    for hold in &one {
        wait_until_expired(&ledgers[1], hold).await;
    }
    pair.commands[0].start_again().await;
    place(&ledgers[0], "witness", 1).await;
    let witness = wait_until_expired(&ledgers[0], "witness").await;
    for hold in both.iter().chain(&one) {
        assert_eq!(types(&history(&ledgers[0], hold).await), ["hold-placed", "hold-expired"], "{hold}");
    }
    assert_eq!(alice(&ledgers[0], witness["position"].as_i64().unwrap()).await, ["100", "0", "100"]);
    let head = ledgers[0].check(&[]).await.len() as i64;
    let (last, _) = place(&ledgers[1], "last", 1).await;
    assert_eq!(last.position(), head + 1, "both services append to one log");
}
