//! Amounts.

use serde_json::json;

use super::{check, transfer, up_with_a_ledger};

#[tokio::test]
async fn malformed_amounts_are_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let amounts = [
        ("zero", json!("0")),
        ("many zeros", json!("000")),
        ("negative", json!("-5")),
        ("a fraction", json!("1.50")),
        ("an exponent", json!("1e3")),
        ("hexadecimal", json!("0x10")),
        ("a plus", json!("+5")),
        ("nothing", json!("")),
        ("a space", json!(" 5")),
        ("other digits", json!("٣")),
        ("grouped", json!("1,000")),
        ("a number", json!(12)),
        ("a fractional number", json!(1.5)),
        ("null", json!(null)),
        ("a list", json!(["5"])),
        ("one beyond i128", json!("170141183460469231731687303715884105728")),
        ("very long", json!("9".repeat(10_000))),
    ];
    let cases = amounts.map(|(name, amount)| {
        let transfer = transfer("bank", "users:alice", "USD/2", &amount);
        (name, ledger.command("post-transaction", &transfer), 400, "invalid-request")
    });
    check(&ledger, cases).await;

    let limit = |amount: &str| json!({"account": "bank", "overdraft": {"limited": [{"asset": "USD/2", "amount": amount}]}});
    check(
        &ledger,
        ["-1", "0.5", ""].map(|amount| {
            ("a limit", ledger.command("set-overdraft-policy", &limit(amount)), 400, "invalid-request")
        }),
    )
    .await;
    // The largest amount is well-formed, but the sum would overflow.
    let largest = json!("170141183460469231731687303715884105727");
    let overflow = transfer("bank", "users:alice", "USD/2", &largest);
    check(&ledger, [("in sum", ledger.command("post-transaction", &overflow), 422, "balance-overflow")])
        .await;
}
