//! Names, ids and times.

use http::Method;
use recount_tests::ledger::payment;
use serde_json::json;

use super::{Case, check, up_with_a_ledger};

#[tokio::test]
async fn malformed_names_are_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let long = "x".repeat(300);
    let mut cases: Vec<Case> = Vec::new();
    for name in [
        "",
        ":",
        "a:",
        ":a",
        "a::b",
        " a",
        "a ",
        "a  b",
        "a*b",
        "a\nb",
        "a\u{0}b",
        &long,
        &["a"; 17].join(":"),
    ] {
        let open = json!({"account": name, "kind": "asset"});
        cases.push(("an account's name", ledger.command("open-account", &open), 400, "invalid-request"));
    }
    for asset in ["", "USD", "USD/", "/2", "USD/x", "USD/-1", "USD/99", "USD/2/2", "US D/2", &long] {
        let register = json!({"asset": asset});
        cases.push(("an asset's name", ledger.command("register-asset", &register), 400, "invalid-request"));
    }
    for id in ["", "a\nb", "a\u{0}b", &long] {
        for member in ["transaction", "reference"] {
            let mut payment = payment("t2");
            payment[member] = json!(id);
            cases.push((
                "an id or a reference",
                ledger.command("post-transaction", &payment),
                400,
                "invalid-request",
            ));
        }
    }
    for id in ["", "a b", "a/b", "a\nb", &long] {
        let hold =
            json!({"hold": id, "debit": "bank", "credit": "users:bob", "asset": "USD/2", "amount": "1"});
        cases.push(("a hold's id", ledger.command("hold", &hold), 400, "invalid-request"));
        let customer = json!({"customer": id});
        cases.push((
            "a customer's id",
            ledger.command("register-customer", &customer),
            400,
            "invalid-request",
        ));
    }
    for pattern in ["", "**:a", "a**", "a:", "***"] {
        let chart = json!({"rules": [{"pattern": pattern, "kind": "asset"}]});
        cases.push(("a pattern", ledger.command("set-chart", &chart), 400, "invalid-request"));
    }
    for name in ["a%20b", "%00", "%FF", "a%2Fb", "a%0Ab", &long] {
        let ask = ledger.commands.ask(Method::PUT, format!("/v1/ledgers/{name}"));
        cases.push(("a ledger's name", ask, 400, "invalid-request"));
    }
    check(&ledger, cases).await;
}

#[tokio::test]
async fn malformed_times_are_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let mut cases: Vec<Case> = Vec::new();
    for time in ["", "yesterday", "2026-02-30", "2026-01-31 12:00", "2026-01-31T25:00:00Z", "999999-01-01"] {
        let mut payment = payment("t2");
        payment["effective_at"] = json!(time);
        cases.push(("a time", ledger.command("post-transaction", &payment), 400, "invalid-request"));
        let hold = json!({
            "debit": "bank", "credit": "users:bob", "asset": "USD/2", "amount": "1", "expires_at": time,
        });
        cases.push(("a deadline", ledger.command("hold", &hold), 400, "invalid-request"));
        let (close, reopen) = (json!({"through": time}), json!({"from": time}));
        cases.push(("the end of a period", ledger.command("close-period", &close), 400, "invalid-request"));
        cases.push((
            "the start of a period",
            ledger.command("reopen-period", &reopen),
            400,
            "invalid-request",
        ));
    }
    check(&ledger, cases).await;
}

#[tokio::test]
async fn the_error_for_personal_data_does_not_repeat_it() {
    let (_up, ledger) = up_with_a_ledger().await;
    let secret = format!("Alice\u{7}{}", "x".repeat(2_000));
    for profile in [json!({"name": secret}), json!({"attributes": {"passport": secret}})] {
        let register = json!({"customer": "c-1", "profile": profile});
        let answer = ledger.command("register-customer", &register).answer().await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "invalid-request"), "{answer}");
        assert!(!answer.text().contains("Alice"), "{answer}");
    }
}
