//! Holds whose deadlines pass: the service gives back what is left, by itself, and once.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use recount_service_kit::clock;
use recount_test_support::{TestDatabase, eventually, eventually_some};
use recount_tests::http::Answer;
use recount_tests::ledger::LedgerClient;
use recount_tests::process::{Process, Program};
use serde_json::{Value, json};

use crate::{Up, first_key};

/// A deadline is looked at within a second; the rest is for a machine that does many other things.
const EXPIRY_BOUND: Duration = Duration::from_secs(30);

/// A moment that is near, and far enough to place a few holds before it.
fn soon() -> DateTime<Utc> {
    clock::now() + TimeDelta::seconds(2)
}

/// A ledger in which Alice has 100.
async fn funded(ledger: &LedgerClient) {
    ledger.set_up().await;
    ledger.pay("salary").await;
}

/// Sets some of Alice's money aside for Bob.
async fn place(ledger: &LedgerClient, hold: &str, amount: u32, deadline: DateTime<Utc>) -> Answer {
    let data = json!({
        "hold": hold, "debit": "users:alice", "credit": "users:bob", "asset": "USD/2", "amount": amount.to_string(),
        "expires_at": deadline.to_rfc3339_opts(SecondsFormat::Micros, true),
    });
    ledger.command("hold", &data).ok().await
}

/// What has happened to the hold.
async fn history(ledger: &LedgerClient, hold: &str) -> Vec<Value> {
    let page = ledger.commands.get(ledger.path(&format!("/events?tag=hold:{hold}"))).ok().await.json();
    page["events"].as_array().unwrap().clone()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Waits until the hold has expired.
async fn expired(ledger: &LedgerClient, hold: &str) -> Value {
    eventually_some(EXPIRY_BOUND, &format!("{hold} expires"), || async {
        history(ledger, hold).await.into_iter().find(|event| event["type"] == "hold-expired")
    })
    .await
}

async fn passed(deadline: DateTime<Utc>) {
    eventually(EXPIRY_BOUND, "the deadline passes", || async { clock::now() > deadline }).await;
}

/// Alice's balance: posted, held and available.
async fn alice(ledger: &LedgerClient, position: i64) -> [Value; 3] {
    let account = ledger.answer_at("/accounts/users:alice", position).await.json();
    ["posted", "held", "available"].map(|figure| account["balances"][0][figure].clone())
}

#[tokio::test]
async fn a_hold_expires_by_itself_and_what_it_held_is_available_again() {
    let up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    funded(&ledger).await;
    let deadline = soon();
    let placed = place(&ledger, "dinner", 40, deadline).await.position();
    assert_eq!(alice(&ledger, placed).await, ["100", "40", "60"]);
    assert_eq!(ledger.answer_at("/holds/dinner", placed).await.json()["status"], "open");

    let event = expired(&ledger, "dinner").await;
    assert_eq!(event["data"]["amount"], "40");
    assert!(event["recorded_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap() >= deadline, "{event}");
    let placed_by = &history(&ledger, "dinner").await[0]["meta"]["actor"];
    assert_ne!(&event["meta"]["actor"], placed_by, "nobody has asked for it");

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
async fn what_was_captured_in_time_does_not_expire_and_of_a_part_the_rest_does() {
    let up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    funded(&ledger).await;
    let deadline = soon() + TimeDelta::seconds(2);
    for hold in ["whole", "released", "part"] {
        place(&ledger, hold, 30, deadline).await;
    }
    ledger.command("capture", &json!({"hold": "whole"})).ok().await;
    ledger.command("release", &json!({"hold": "released"})).ok().await;
    ledger.command("capture", &json!({"hold": "part", "amount": "10"})).ok().await;
    // A later one: once it has expired, the others have had their time.
    place(&ledger, "witness", 1, deadline + TimeDelta::seconds(1)).await;

    let rest = expired(&ledger, "part").await;
    assert_eq!(rest["data"]["amount"], "20");
    let witness = expired(&ledger, "witness").await;
    assert_eq!(types(&history(&ledger, "whole").await), ["hold-placed", "transaction-posted"]);
    assert_eq!(types(&history(&ledger, "released").await), ["hold-placed", "hold-released"]);
    assert_eq!(alice(&ledger, witness["position"].as_i64().unwrap()).await, ["60", "0", "60"]);
}

#[tokio::test]
async fn a_deadline_that_passes_while_nothing_runs_is_met_after_the_next_start_and_once() {
    let mut up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    funded(&ledger).await;
    let deadline = soon();
    place(&ledger, "overnight", 40, deadline).await;
    up.process.kill().await;
    passed(deadline).await;

    up.process.start_again().await;
    // Time alone has ended it, whether or not anything has noticed yet.
    let late = ledger.command("capture", &json!({"hold": "overnight"})).answer().await;
    assert_eq!(late.code(), "hold-expired", "{late}");
    let event = expired(&ledger, "overnight").await;
    assert_eq!(alice(&ledger, event["position"].as_i64().unwrap()).await, ["100", "0", "100"]);

    up.process.kill().await;
    up.process.start_again().await;
    place(&ledger, "witness", 1, soon()).await;
    expired(&ledger, "witness").await;
    assert_eq!(types(&history(&ledger, "overnight").await), ["hold-placed", "hold-expired"]);
    ledger.check(&[]).await;
}

/// Two command services on one database, and what it takes to query.
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

    /// Places many holds through both, all with this deadline.
    async fn place(&self, name: &str, deadline: DateTime<Utc>) -> Vec<String> {
        let holds: Vec<String> = (0..30).map(|n| format!("{name}-{n}")).collect();
        for (n, hold) in holds.iter().enumerate() {
            place(&self.ledgers[n % 2], hold, 1, deadline).await;
        }
        holds
    }
}

#[tokio::test]
async fn two_services_on_one_ledger_let_each_hold_expire_once_also_if_one_of_them_is_killed() {
    let mut pair = Pair::start().await;
    let ledgers = pair.ledgers.clone();
    funded(&ledgers[0]).await;
    let both = pair.place("both", clock::now() + TimeDelta::seconds(4)).await;
    for hold in &both {
        expired(&ledgers[0], hold).await;
    }

    let deadline = clock::now() + TimeDelta::seconds(4);
    let one = pair.place("one", deadline).await;
    passed(deadline).await;
    pair.commands[0].kill().await;
    for hold in &one {
        expired(&ledgers[1], hold).await;
    }
    pair.commands[0].start_again().await;
    place(&ledgers[0], "witness", 1, soon()).await;
    let witness = expired(&ledgers[0], "witness").await;
    for hold in both.iter().chain(&one) {
        assert_eq!(types(&history(&ledgers[0], hold).await), ["hold-placed", "hold-expired"], "{hold}");
    }
    assert_eq!(alice(&ledgers[0], witness["position"].as_i64().unwrap()).await, ["100", "0", "100"]);
    assert_eq!(ledgers[1].events().await, ledgers[0].check(&[]).await, "both services show one log");
}
