//! Queries: cursors, limits, filters, positions, and resources that do not exist.

use http::Method;

use super::{Case, check, up_with_a_ledger};

#[tokio::test]
async fn queries_that_cannot_be_answered_are_refused() {
    let (_up, ledger) = up_with_a_ledger().await;
    let get = |rest: &str| ledger.queries.get(ledger.path(rest));
    let mut cases: Vec<Case> = Vec::new();
    let lists = [
        "/accounts",
        "/transactions",
        "/holds",
        "/customers",
        "/accounts/bank/statement",
        "/accounts/bank/metadata-history",
        "/transactions/t1/metadata-history",
    ];
    for list in lists {
        let with = |parameters: &str| get(&format!("{list}?{parameters}"));
        for cursor in ["", "x", "!!!", "AAAAAAAAAAAAAAAA", "%00"] {
            cases.push(("a bad cursor", with(&format!("cursor={cursor}")), 400, "invalid-cursor"));
        }
        for limit in ["0", "-1", "501", "x", "1.5", "99999999999"] {
            cases.push(("a bad limit", with(&format!("limit={limit}")), 400, "invalid-request"));
        }
        cases.push(("an unknown parameter", with("colour=red"), 400, "invalid-request"));
        cases.push(("a parameter twice", with("limit=1&limit=2"), 400, "invalid-request"));
        for position in ["x", "-1", "1.5", ""] {
            cases.push((
                "a bad position",
                get(list).header("recount-at-least", position),
                400,
                "invalid-request",
            ));
        }
        let later = get(list).header("recount-at-least", 1_000_000).header("prefer", "wait=0");
        cases.push(("a position that is not there", later, 503, "position-not-reached"));
    }
    for parameters in
        ["limit=0", "limit=1001", "after=-1", "after=x", "colour=red", "tag=bank", "tag=account:a%0Ab"]
    {
        cases.push(("a bad page of the log", get(&format!("/events?{parameters}")), 400, "invalid-request"));
    }
    for parameters in ["format=xml", "effective_before=yesterday", "colour=red"] {
        cases.push(("a bad balance", get(&format!("/trial-balance?{parameters}")), 400, "invalid-request"));
    }
    for parameters in ["status=lost", "expires_before=soon"] {
        cases.push(("a bad hold", get(&format!("/holds?{parameters}")), 400, "invalid-request"));
    }
    cases.push(("no such hold", get("/holds/h0"), 404, "hold-not-found"));
    cases.push(("no such customer", get("/customers/c-0"), 404, "customer-not-found"));
    cases.push((
        "no such transaction in a history",
        get("/transactions/t0/metadata-history"),
        404,
        "transaction-not-found",
    ));
    cases.push(("no such account", get("/accounts/nobody"), 404, "account-not-found"));
    cases.push((
        "no such account in a statement",
        get("/accounts/nobody/statement"),
        404,
        "account-not-found",
    ));
    cases.push(("no such transaction", get("/transactions/t0"), 404, "transaction-not-found"));
    cases.push(("no such ledger", ledger.queries.get("/v1/ledgers/nowhere/accounts"), 404, "ledger-unknown"));
    cases.push((
        "no such ledger in its log",
        ledger.queries.get("/v1/ledgers/nowhere/events"),
        404,
        "ledger-unknown",
    ));
    cases.push(("no such page", get("/nothing"), 404, "not-found"));
    cases.push((
        "no such method",
        ledger.queries.ask(Method::DELETE, ledger.path("/accounts")),
        405,
        "method-not-allowed",
    ));
    check(&ledger, cases).await;
}
