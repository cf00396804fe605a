//! API keys and idempotency keys.

use http::Method;
use recount_tests::http::Client;
use recount_tests::ledger::{LedgerClient, payment};
use serde_json::json;

use super::{Case, check, up_with_a_ledger};

#[tokio::test]
async fn requests_without_a_valid_key_reveal_and_change_nothing() {
    let (up, ledger) = up_with_a_ledger().await;
    let nobody = up.process.client();
    let key = crate::first_key(&up.process.stdout());
    let (id, secret) = key.rsplit_once('_').unwrap();
    let other_secret = format!("{id}_{}", secret.chars().rev().collect::<String>());
    let requests = |client: &Client| {
        let ledger = LedgerClient::at(client, "main");
        [
            ledger.command("post-transaction", &payment("t2")),
            ledger.commands.ask(Method::PUT, "/v1/ledgers/new"),
            client.get(ledger.path("/events")),
            client.get(ledger.path("/trial-balance")),
            // Without a key, a caller must not learn whether a ledger exists.
            client.get("/v1/ledgers/nowhere/accounts"),
        ]
    };
    let mut cases: Vec<Case> = Vec::new();
    for ask in requests(&nobody) {
        cases.push(("no key", ask, 401, "key-missing"));
    }
    for key in [other_secret.as_str(), id, "rk_", "rk_x_y", "x", &"x".repeat(5_000)] {
        for ask in requests(&nobody.with_key(key)) {
            cases.push(("a wrong key", ask, 401, "key-invalid"));
        }
    }
    let basic = nobody.get(ledger.path("/events")).header("authorization", format!("Basic {key}"));
    cases.push(("another scheme", basic, 401, "key-missing"));
    check(&ledger, cases).await;
    let answer = nobody.get(ledger.path("/events")).answer().await;
    assert_eq!(answer.headers["www-authenticate"].to_str().unwrap().split(' ').next(), Some("Bearer"));
}

#[tokio::test]
async fn malformed_and_reused_idempotency_keys_are_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let pay = |key: &str| ledger.command("post-transaction", &payment("t2")).header("idempotency-key", key);
    let long = "x".repeat(256);
    let bad = ["", "\"\"", &long, "tab\tinside", "ümlaut"];
    check(&ledger, bad.map(|key| ("a key", pay(key), 400, "idempotency-key-invalid"))).await;
    let twice = pay("one").header("idempotency-key", "two");
    check(&ledger, [("two keys", twice, 400, "idempotency-key-invalid")]).await;

    let first = pay("\"used\"").ok().await;
    let open = json!({"account": "new", "kind": "asset"});
    check(
        &ledger,
        [
            (
                "with another body",
                ledger.command("post-transaction", &payment("t3")).header("idempotency-key", "used"),
                422,
                "idempotency-key-reused",
            ),
            (
                "with another command",
                ledger.command("open-account", &open).header("idempotency-key", "used"),
                422,
                "idempotency-key-reused",
            ),
        ],
    )
    .await;
    let again = pay("used").ok().await;
    assert_eq!(again.json(), first.json(), "the recorded outcome, quotes or not");

    // A rejection is recorded too: a repeat gets the same answer, even after the reason is gone.
    let close =
        || ledger.command("close-account", &json!({"account": "later"})).header("idempotency-key", "close");
    check(&ledger, [("rejected", close(), 422, "account-unknown")]).await;
    ledger.command("open-account", &json!({"account": "later", "kind": "asset"})).ok().await;
    check(&ledger, [("still rejected", close(), 422, "account-unknown")]).await;
}
