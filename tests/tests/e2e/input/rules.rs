//! Well-formed commands that break a rule of the ledger, and unusual content that does not.

use recount_tests::ledger::{LedgerClient, payment};
use serde_json::{Value, json};

use super::{check, transfer, up_with_a_ledger};

fn entries(entries: &[(&str, &str, &str)]) -> Value {
    let entry = |(account, direction, amount): &(&str, &str, &str)| json!({"account": account, "direction": direction, "asset": "USD/2", "amount": amount});
    json!({"entries": entries.iter().map(entry).collect::<Vec<_>>()})
}

#[tokio::test]
async fn commands_that_break_a_rule_are_rejected_and_change_nothing() {
    let (up, ledger) = up_with_a_ledger().await;
    let one = json!("1");
    let mut other = payment("t1");
    other["transfers"][0]["amount"] = json!("123456");
    let post = "post-transaction";
    let unequal = entries(&[("bank", "debit", "2"), ("users:bob", "credit", "1")]);
    let cases = [
        ("an unknown account", post, transfer("bank", "users:carol", "USD/2", &one), 422, "account-unknown"),
        ("an unknown asset", post, transfer("bank", "users:bob", "EUR/2", &one), 422, "asset-unknown"),
        ("another scale", post, transfer("bank", "users:bob", "USD/3", &one), 409, "asset-scale-differs"),
        (
            "too much",
            post,
            transfer("users:alice", "bank", "USD/2", &json!("999")),
            422,
            "insufficient-funds",
        ),
        ("unequal sides", post, unequal, 422, "unbalanced"),
        ("one entry", post, entries(&[("bank", "debit", "2")]), 422, "entries-out-of-bounds"),
        ("no entry", post, entries(&[]), 422, "entries-out-of-bounds"),
        ("other content", post, other, 409, "transaction-conflict"),
        (
            "another kind",
            "open-account",
            json!({"account": "bank", "kind": "income"}),
            409,
            "account-conflict",
        ),
        ("another scale", "register-asset", json!({"asset": "USD/3"}), 409, "asset-scale-differs"),
        ("not empty", "close-account", json!({"account": "bank"}), 422, "account-not-empty"),
        ("not there", "freeze-account", json!({"account": "users:carol"}), 422, "account-unknown"),
        ("not there", "reverse-transaction", json!({"transaction": "t0"}), 422, "transaction-unknown"),
    ];
    let cases =
        cases.map(|(name, command, data, status, code)| (name, ledger.command(command, &data), status, code));
    check(&ledger, cases).await;

    let itself = json!({"transaction": "t1", "reversal": "t1"});
    let nowhere = LedgerClient::at(&up.client, "nowhere");
    let cases = [
        ("reversing into itself", ledger.command("reverse-transaction", &itself), 400, "invalid-request"),
        (
            "no such ledger",
            nowhere.command("close-account", &json!({"account": "bank"})),
            404,
            "ledger-unknown",
        ),
    ];
    check(&ledger, cases).await;
}

#[tokio::test]
async fn references_reversals_and_closed_accounts_cannot_be_reused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let succeed = async |command: &str, data: Value| ledger.command(command, &data).ok().await;
    let mut referring = payment("t2");
    referring["reference"] = json!("invoice 7");
    succeed("post-transaction", referring).await;
    let mut other = payment("t3");
    other["reference"] = json!("invoice 7");
    succeed("reverse-transaction", json!({"transaction": "t1", "reversal": "t1-back"})).await;
    succeed("open-account", json!({"account": "closed", "kind": "asset"})).await;
    succeed("close-account", json!({"account": "closed"})).await;
    succeed("freeze-account", json!({"account": "users:bob", "scope": "credits"})).await;
    let frozen = transfer("bank", "users:bob", "USD/2", &json!("1"));
    let closed = transfer("closed", "users:alice", "USD/2", &json!("1"));
    let cases = [
        ("a reference", "post-transaction", other, 409, "reference-taken"),
        (
            "a reversal",
            "reverse-transaction",
            json!({"transaction": "t1"}),
            409,
            "transaction-already-reversed",
        ),
        ("a frozen account", "post-transaction", frozen, 422, "account-frozen"),
        ("a closed account", "post-transaction", closed, 422, "account-closed"),
    ];
    let cases =
        cases.map(|(name, command, data, status, code)| (name, ledger.command(command, &data), status, code));
    check(&ledger, cases).await;
}

#[tokio::test]
async fn a_repeated_transaction_id_is_recognised_without_a_key() {
    let (_up, ledger) = up_with_a_ledger().await;
    let head = ledger.head().await;
    let again = ledger.command("post-transaction", &payment("t1")).ok().await;
    assert_eq!(again.json()["events"], json!([]), "{again}");
    assert_eq!(ledger.head().await, head);
}

#[tokio::test]
async fn unusual_content_is_kept_unchanged() {
    let (_up, ledger) = up_with_a_ledger().await;
    let metadata = json!({
        "": "no name", "nul": "a\u{0}b", "emoji": "🧾", "quote": "\"'\\", "line": "a\r\nb", "number": 1.5e-300,
        "large": u64::MAX, "nested": {"a": [null, true, {"b": []}]},
    });
    let mut payment = payment("odd");
    payment["metadata"] = metadata.clone();
    ledger.command("post-transaction", &payment).ok().await;
    for (account, in_a_path) in [
        ("ödd:账户", "%C3%B6dd:%E8%B4%A6%E6%88%B7"),
        ("Income:A/B, 'C' & (D)#1", "Income:A%2FB,%20'C'%20&%20(D)%231"),
    ] {
        let open = json!({"account": account, "kind": "asset", "metadata": metadata});
        let opened = ledger.command("open-account", &open).ok().await;
        let position = opened.json()["position"].as_i64().unwrap();
        let shown = ledger.answer_at(&format!("/accounts/{in_a_path}"), position).await.json();
        assert_eq!((&shown["account"], &shown["metadata"]), (&json!(account), &metadata));
        let transaction = ledger.answer_at("/transactions/odd", position).await.json();
        assert_eq!(transaction["metadata"], metadata);
    }
    let events = ledger.events().await;
    assert!(events.iter().any(|event| event["data"]["metadata"] == metadata), "{events:?}");
}
