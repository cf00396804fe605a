//! Dry runs over HTTP: they return the events that would happen, and nothing is written.

use std::collections::BTreeMap;

use http::Method;
use recount_tests::http::Ask;
use recount_tests::ledger::{LedgerClient, payment};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::Up;

async fn up_with_money() -> (Up, LedgerClient) {
    let up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    ledger.set_up().await;
    ledger.pay("salary").await;
    (up, ledger)
}

/// A transaction that moves money from Alice, who has 100, to Bob.
fn spend(transaction: &str, amount: &str) -> Value {
    let transfer = json!({"debit": "users:alice", "credit": "users:bob", "asset": "USD/2", "amount": amount});
    json!({"transaction": transaction, "transfers": [transfer]})
}

fn batch(ledger: &LedgerClient, parameters: &str, commands: &[(&str, Value)]) -> Ask {
    let item = |(command, data): &(&str, Value)| json!({"command": command, "data": data});
    let commands: Vec<Value> = commands.iter().map(item).collect();
    ledger.commands.post(ledger.path(&format!("/commands?{parameters}")), &Value::Array(commands))
}

/// The number of rows of each table of the event store.
async fn row_counts(up: &Up) -> BTreeMap<String, i64> {
    let tables = "select tablename::text from pg_tables where schemaname = 'store'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(up.database.pool()).await.unwrap();
    assert!(tables.iter().any(|table| table == "outcomes"), "{tables:?}");
    let mut rows = BTreeMap::new();
    for table in tables {
        // Safe: the name comes from the catalogue.
        let count = AssertSqlSafe(format!("select count(*) from store.{table}"));
        rows.insert(table, sqlx::query_scalar(count).fetch_one(up.database.pool()).await.unwrap());
    }
    rows
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let (up, ledger) = up_with_money().await;
    let (head, rows) = (ledger.head().await, row_counts(&up).await);
    let (balances, log) = (ledger.trial_balance(head).await, ledger.events().await);
    let hold = json!({
        "hold": "h1", "debit": "users:alice", "credit": "users:bob", "asset": "USD/2", "amount": "1",
        "expires_at": "2999-01-01",
    });
    let post = "post-transaction";
    let two = [(post, spend("t1", "60")), (post, spend("t2", "60"))];
    let asks = [
        ("accepted", ledger.command("post-transaction?dry_run=true", &spend("t1", "100")), 200),
        ("rejected", ledger.command("post-transaction?dry_run=true", &spend("t1", "101")), 422),
        ("with a deadline", ledger.command("hold?dry_run=true", &hold), 200),
        ("each for itself", batch(&ledger, "dry_run=true", &two), 200),
        ("atomic and accepted", batch(&ledger, "dry_run=true&atomic=true", &two[..1]), 200),
        ("atomic and rejected", batch(&ledger, "dry_run=true&atomic=true", &two), 422),
    ];
    for (name, ask, status) in asks {
        let answer = ask.header("idempotency-key", name.replace(' ', "-")).answer().await;
        assert_eq!(answer.status, status, "{name}: {answer}");
        assert_eq!(answer.position(), head, "{name}: {answer}");
        assert_eq!(row_counts(&up).await, rows, "{name}");
    }
    assert_eq!((ledger.head().await, ledger.events().await), (head, log));
    assert_eq!(ledger.trial_balance(head).await, balances);
    let shown = ledger.queries.get(ledger.path("/transactions/t1")).answer().await;
    assert_eq!(shown.code(), "transaction-not-found");
    // The real command afterwards does not depend on the dry run.
    ledger.command("post-transaction", &spend("t1", "100")).ok().await;
}

#[tokio::test]
async fn a_dry_run_returns_balances_and_the_event_that_would_be_recorded() {
    let (_up, ledger) = up_with_money().await;
    let mut data = spend("t1", "40");
    data["effective_at"] = json!("2026-01-31");
    let dry = ledger.command("post-transaction?dry_run=true", &data).ok().await.json();
    assert_eq!((&dry["dry_run"], &dry["transaction"]), (&json!(true), &json!("t1")), "{dry}");
    let figures = |posted: &str| json!({"posted": posted, "held": "0", "incoming": "0", "available": posted});
    let changes = json!([
        {"account": "users:alice", "asset": "USD/2", "before": figures("100"), "after": figures("60")},
        {"account": "users:bob", "asset": "USD/2", "before": figures("0"), "after": figures("40")},
    ]);
    assert_eq!(dry["balances"], changes);

    let done = ledger.command("post-transaction", &data).ok().await.json();
    let event = ledger.events().await.pop().unwrap();
    assert_eq!(event["id"], done["events"][0]["id"]);
    for member in ["type", "version", "data"] {
        assert_eq!(dry["events"][0][member], event[member], "{member}");
    }
    assert!(dry["events"][0].get("position").is_none() && dry["events"][0].get("id").is_none(), "{dry}");
    assert!(done.get("dry_run").is_none() && done.get("balances").is_none(), "{done}");
}

#[tokio::test]
async fn a_dry_run_does_not_use_its_key_and_returns_a_recorded_outcome() {
    let (_up, ledger) = up_with_money().await;
    let keyed = |command: &str, data: &Value| ledger.command(command, data).header("idempotency-key", "k");
    keyed("post-transaction?dry_run=true", &spend("t1", "40")).ok().await;
    // Another command with the same key is accepted, because nothing was recorded.
    let done = keyed("post-transaction", &spend("t2", "70")).ok().await;
    let dry = keyed("post-transaction?dry_run=true", &spend("t2", "70")).ok().await;
    assert_eq!(dry.json(), done.json(), "a dry run returns the recorded outcome");
    let other = keyed("post-transaction?dry_run=true", &spend("t1", "40")).answer().await;
    assert_eq!((other.status.as_u16(), &*other.code()), (422, "idempotency-key-reused"), "{other}");
}

#[tokio::test]
async fn a_misspelt_dry_run_parameter_is_refused() {
    let (up, ledger) = up_with_money().await;
    let head = ledger.head().await;
    for parameters in ["dry_run=maybe", "dry_run", "dry_run=1", "dryrun=true", "dry-run=true", "DRY_RUN=true"]
    {
        let data = payment("t1");
        let single = ledger.command(&format!("post-transaction?{parameters}"), &data).answer().await;
        assert_eq!(
            (single.status.as_u16(), &*single.code()),
            (400, "invalid-request"),
            "{parameters}: {single}"
        );
        let batch = batch(&ledger, parameters, &[("post-transaction", data)]).answer().await;
        assert_eq!(
            (batch.status.as_u16(), &*batch.code()),
            (400, "invalid-request"),
            "{parameters}: {batch}"
        );
    }
    assert_eq!(ledger.head().await, head);

    let created = up.client.ask(Method::PUT, "/v1/ledgers/new?dry_run=true").answer().await;
    assert_eq!(created.code(), "invalid-request", "{created}");
    assert_eq!(up.client.get("/v1/ledgers/new/events").answer().await.code(), "ledger-unknown");
}
