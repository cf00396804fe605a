//! What the answers hold.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_account_shows_its_state_and_its_balances_on_its_normal_side() {
    let world = World::with_books().await;
    let answer = world.get("/v1/ledgers/books/accounts/Equity:Opening").await;
    assert_eq!(answer.header("recount-position"), "9");
    assert_eq!(
        answer.json(),
        json!({
            "account": "Equity:Opening",
            "kind": "equity",
            "overdraft": "unlimited",
            "frozen": { "debits": false, "credits": true },
            "closed": false,
            "metadata": { "note": 1.50 },
            "opened_at": "2026-01-01T00:00:00Z",
            "opened_position": 5,
            "position": 5,
            "balances": [
                { "asset": "USD/2", "debits": "1005", "credits": "1000", "balance": "-5", "formatted": "-0.05 USD" },
                { "asset": "VACHR/2", "debits": "0", "credits": "250", "balance": "250", "formatted": "2.50 VACHR" },
            ],
        })
    );
    assert!(answer.body.contains("1.50"), "free JSON is passed on as it was written: {}", answer.body);
}

#[tokio::test]
async fn accounts_are_filtered_by_prefix_and_kind_and_come_in_byte_order() {
    let world = World::with_books().await;
    let all = world.get("/v1/ledgers/books/accounts").await;
    assert_eq!(all.column("account"), ["Assets:Cash", "Equity:Opening", "assets:late"]);
    assert_eq!(all.json()["items"][2]["balances"], json!([]));
    let assets = world.get("/v1/ledgers/books/accounts?prefix=Assets:").await;
    assert_eq!(assets.column("account"), ["Assets:Cash"]);
    let equity = world.get("/v1/ledgers/books/accounts?kind=equity").await;
    assert_eq!(equity.column("account"), ["Equity:Opening"]);
    // `%` is a character like any other.
    let none = world.get("/v1/ledgers/books/accounts?prefix=%25").await;
    assert_eq!(none.column("account"), [""; 0]);
}

#[tokio::test]
async fn a_statement_shows_entries_in_the_order_of_recording_with_the_balance_after_each() {
    let world = World::with_books().await;
    let statement = world.get("/v1/ledgers/books/accounts/Assets:Cash/statement").await;
    assert_eq!(statement.column("transaction"), ["t1", "t2", "t3"]);
    assert_eq!(statement.column("balance"), ["1000", "-5", "250"]);
    assert_eq!(statement.json()["items"][1]["effective_at"], "2013-07-01T00:00:00Z");
    let usd = world.get("/v1/ledgers/books/accounts/Assets:Cash/statement?asset=USD/2&after=7").await;
    assert_eq!(usd.column("transaction"), ["t2"]);
}

#[tokio::test]
async fn the_statement_of_an_account_without_entries_is_empty_and_not_missing() {
    let world = World::with_books().await;
    let statement = world.get("/v1/ledgers/books/accounts/assets:late/statement").await;
    assert_eq!(statement.json(), json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn transactions_are_filtered_by_account_reference_and_effective_time() {
    let world = World::with_books().await;
    let ids = async |query: &str| {
        let path = format!("/v1/ledgers/books/transactions{query}");
        world.get(&path).await.column("transaction")
    };
    assert_eq!(ids("").await, ["t1", "t2", "t3"]);
    assert_eq!(ids("?order=desc").await, ["t3", "t2", "t1"]);
    assert_eq!(ids("?account=Assets:Cash&order=asc").await, ["t1", "t2", "t3"]);
    assert_eq!(ids("?account=assets:late").await, [""; 0]);
    assert_eq!(ids("?account=Assets:Cash&effective_from=2013-03-01").await, ["t2", "t3"]);
    assert_eq!(ids("?reference=ref-t2").await, ["t2"]);
    assert_eq!(ids("?reference=ref-t3&account=Assets:Cash&limit=1").await, ["t3"]);
    assert_eq!(ids("?reference=ref-t3&account=assets:late").await, [""; 0]);
    assert_eq!(ids("?effective_from=2013-03-01&effective_to=2013-07-01").await, ["t3"]);
    assert_eq!(
        ids("?effective_to=2013-07-01T00:00:01Z&effective_from=2013-03-01T01:00:00%2B00:00").await,
        ["t2"]
    );
}

#[tokio::test]
async fn a_transaction_shows_its_entries_and_what_reversed_it() {
    let world = World::with_books().await;
    sqlx::query("update read.transactions set reversed_by = 't2' where transaction = 't1'")
        .execute(world.database.pool())
        .await
        .unwrap();
    let answer = world.get("/v1/ledgers/books/transactions/t1").await;
    let transaction = answer.json();
    assert_eq!(transaction["position"], 7);
    assert_eq!(transaction["reference"], "ref-t1");
    assert_eq!(transaction["reverses"], json!(null));
    assert_eq!(transaction["reversed_by"], "t2");
    assert_eq!(
        transaction["entries"][0],
        json!({ "account": "Assets:Cash", "direction": "debit", "asset": "USD/2", "amount": "1000" })
    );
}

#[tokio::test]
async fn ledgers_and_assets_are_listed_with_where_they_are() {
    let world = World::with_books().await;
    let ledgers = world.get("/v1/ledgers").await;
    assert_eq!(ledgers.column("ledger"), ["books"]);
    assert_eq!(ledgers.column("position"), [9]);
    let ledger = world.get("/v1/ledgers/books").await;
    assert_eq!(ledger.json()["created_at"], "2026-01-01T00:00:00Z");
    assert_eq!(ledger.header("recount-position"), "9");
    let assets = world.get("/v1/ledgers/books/assets").await;
    assert_eq!(assets.column("code"), ["USD", "VACHR"]);
    assert_eq!(assets.column("scale"), [2, 2]);
}
