//! Bodies and their types.

use http::Method;
use recount_tests::http::Ask;
use recount_tests::ledger::LedgerClient;
use serde_json::{Value, json};

use super::{check, up_with_a_ledger};

fn post(ledger: &LedgerClient, rest: &str) -> Ask {
    ledger.commands.ask(Method::POST, ledger.path(rest))
}

/// A request to open an account, with this text as its JSON body.
fn as_json(ledger: &LedgerClient, text: &str) -> Ask {
    post(ledger, "/commands/open-account").header("content-type", "application/json").body(text.to_owned())
}

/// A valid body for opening an account.
fn good() -> Value {
    json!({"account": "new", "kind": "asset"})
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let two = format!("{0}{0}", good());
    let texts = [
        ("no body", ""),
        ("half a body", r#"{"account":"new","kind""#),
        ("two bodies", &two),
        ("half a surrogate pair", r#"{"account":"\ud800","kind":"asset"}"#),
        ("a comment", r#"{"account":"new","kind":"asset"} // new"#),
    ];
    check(&ledger, texts.map(|(name, text)| (name, as_json(&ledger, text), 400, "malformed-json"))).await;
    let latin = as_json(&ledger, "").body(&b"{\"account\":\"\xff\",\"kind\":\"asset\"}"[..]);
    check(&ledger, [("no UTF-8", latin, 400, "malformed-json")]).await;
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let with_metadata =
        |value: &str| format!(r#"{{"account":"new","kind":"asset","metadata":{{"a":{value}}}}}"#);
    let deep = with_metadata(&format!("{}{}", "[".repeat(500), "]".repeat(500)));
    let changed = with_metadata("0.12345678901234567890");
    let twice = with_metadata(r#"{"b":1,"b":2}"#);
    let half = with_metadata(r#""\ud800""#);
    let texts = [
        ("an array", "[]"),
        ("an unknown field", r#"{"account":"new","kind":"asset","colour":"red"}"#),
        ("a field twice", r#"{"account":"new","account":"b","kind":"asset"}"#),
        ("a missing field", r#"{"kind":"asset"}"#),
        ("an unknown kind", r#"{"account":"new","kind":"secret"}"#),
        ("null", r#"{"account":null,"kind":"asset"}"#),
        ("endless nesting", &deep),
        ("a number that would be changed", &changed),
        ("a name twice in metadata", &twice),
        ("half a surrogate pair in metadata", &half),
    ];
    check(&ledger, texts.map(|(name, text)| (name, as_json(&ledger, text), 400, "invalid-request"))).await;
    let mut heavy = good();
    heavy["metadata"] = json!({"a": "x".repeat(9_000)});
    let open = || post(&ledger, "/commands/open-account");
    let cases = [
        ("too much metadata", open().json(&heavy), 400, "invalid-request"),
        ("a body without a type", open().body(good().to_string()), 415, "unsupported-media-type"),
        ("a text", open().header("content-type", "text/plain").body("{}"), 415, "unsupported-media-type"),
        ("a body of 5 MiB", as_json(&ledger, &" ".repeat(5 << 20)), 413, "body-too-large"),
        ("an unknown command", post(&ledger, "/commands/print-money").json(&good()), 404, "unknown-command"),
        (
            "an unknown parameter",
            post(&ledger, "/commands/open-account?colour=red").json(&good()),
            400,
            "invalid-request",
        ),
    ];
    check(&ledger, cases).await;
}

#[tokio::test]
async fn malformed_and_rejected_batches_change_nothing() {
    let (_up, ledger) = up_with_a_ledger().await;
    let open = json!({"command": "open-account", "data": good()});
    let unknown = json!({"command": "print-money", "data": {}});
    let rejected = json!({"command": "close-account", "data": {"account": "nobody"}});
    let batch = |parameters: &str, commands: &[Value]| {
        post(&ledger, &format!("/commands{parameters}")).json(&json!(commands))
    };
    let too_many = vec![open.clone(); 1_001];
    let cases = [
        ("an empty batch", batch("", &[]), 400, "invalid-request"),
        ("a batch that is too long", batch("", &too_many), 400, "invalid-request"),
        ("an unknown command", batch("", &[open.clone(), unknown]), 400, "invalid-request"),
        (
            "a batch that is maybe atomic",
            batch("?atomic=maybe", std::slice::from_ref(&open)),
            400,
            "invalid-request",
        ),
        (
            "an atomic one with a rejection",
            batch("?atomic=true", &[open.clone(), rejected.clone()]),
            422,
            "account-unknown",
        ),
    ];
    check(&ledger, cases).await;

    let outcomes = batch("?atomic=false", &[open, rejected]).ok().await.json()["outcomes"].clone();
    assert_eq!(outcomes[0]["accepted"]["account"], "new", "{outcomes}");
    assert_eq!(outcomes[1]["rejected"]["code"], "account-unknown", "{outcomes}");
}
