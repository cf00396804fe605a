//! Expectations of commands.

use recount_tests::ledger::payment;
use serde_json::{Value, json};

use super::{check, up_with_a_ledger};

#[tokio::test]
async fn malformed_expectations_are_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let with = |members: Value| {
        let mut expectation = json!({"account": "bank", "asset": "USD/2"});
        expectation.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        json!([expectation])
    };
    let good = with(json!({"at_least": "0"}))[0].clone();
    let expectations = [
        ("no list", good.clone()),
        ("a text", json!("everything")),
        ("null", json!(null)),
        ("nothing expected", with(json!({}))),
        ("a number", with(json!({"at_least": 1}))),
        ("a fraction", with(json!({"at_least": "1.5"}))),
        ("a plus", with(json!({"at_least": "+1"}))),
        ("only a sign", with(json!({"at_most": "-"}))),
        ("nothing", with(json!({"equal_to": ""}))),
        ("beyond 128 bits", with(json!({"equal_to": "9".repeat(40)}))),
        ("another balance", with(json!({"balance": "total", "at_least": "1"}))),
        ("another bound", with(json!({"more_than": "1"}))),
        ("no account", json!([{"asset": "USD/2", "at_least": "1"}])),
        ("no account's name", with(json!({"account": "a::b", "at_least": "1"}))),
        ("no asset's name", with(json!({"asset": "USD", "at_least": "1"}))),
        ("too many", json!(vec![good; 101])),
    ];
    let asks = expectations.map(|(name, expect)| {
        let mut data = payment("t2");
        data["expect"] = expect;
        (name, ledger.command("post-transaction", &data), 400, "invalid-request")
    });
    check(&ledger, asks).await;
}

#[tokio::test]
async fn an_unmet_expectation_is_a_conflict_and_changes_nothing() {
    let (_up, ledger) = up_with_a_ledger().await;
    let expecting = |command: &str, mut data: Value, bound: Value| {
        data["expect"] = json!([{"account": "bank", "asset": "USD/2"}]);
        data["expect"][0].as_object_mut().unwrap().extend(bound.as_object().unwrap().clone());
        ledger.command(command, &data)
    };
    let unmet = json!({"equal_to": "123456"});
    let cases = [
        ("a payment", expecting("post-transaction", payment("t2"), unmet.clone()), 409, "expectation-failed"),
        (
            "a dry one",
            expecting("post-transaction?dry_run=true", payment("t2"), unmet.clone()),
            409,
            "expectation-failed",
        ),
        (
            "a freeze",
            expecting("freeze-account", json!({"account": "users:bob"}), unmet),
            409,
            "expectation-failed",
        ),
    ];
    check(&ledger, cases).await;
    // A repeat is accepted without checking the expectation: the effect of the command holds already.
    let again = expecting("post-transaction", payment("t1"), json!({"equal_to": "0"})).ok().await;
    assert_eq!(again.json()["events"], json!([]), "{again}");
}
