//! Bad input: it is refused with the right status and code, and changes nothing.

mod amounts;
mod bodies;
mod callers;
mod expectations;
mod names;
mod queries;
mod rules;

use recount_tests::http::Ask;
use recount_tests::ledger::LedgerClient;
use serde_json::{Value, json};

use crate::Up;

/// A name for the reader, the request, and the expected status and code.
type Case = (&'static str, Ask, u16, &'static str);

async fn up_with_a_ledger() -> (Up, LedgerClient) {
    let up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    ledger.set_up().await;
    let paid = ledger.pay("t1").await;
    // Wait until queries show it.
    ledger.trial_balance(paid.position).await;
    (up, ledger)
}

/// Checks that every case gets the expected problem, that the page of the problem exists, and that the log does not
/// change.
async fn check(ledger: &LedgerClient, cases: impl IntoIterator<Item = Case>) {
    let head = ledger.head().await;
    for (name, ask, status, code) in cases {
        let answer = ask.answer().await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code), "{name}: {answer}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}");
        assert!(answer.headers.contains_key("x-request-id"), "{name}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{name}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{name}: {problem}");
        ledger.queries.get(problem["type"].as_str().unwrap()).ok().await;
        assert_eq!(ledger.head().await, head, "{name} has moved the head");
    }
}

fn transfer(debit: &str, credit: &str, asset: &str, amount: &Value) -> Value {
    json!({"transfers": [{"debit": debit, "credit": credit, "asset": asset, "amount": amount}]})
}
