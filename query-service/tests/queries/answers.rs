//! The content of the answers.

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
            "limits": [],
            "assets": [],
            "on_first_use": false,
            "frozen": { "debits": false, "credits": true },
            "closed": false,
            "metadata": { "note": 1.50 },
            "customers": [],
            "opened_at": "2026-01-01T00:00:00Z",
            "opened_position": 5,
            "position": 5,
            "balances": [
                { "asset": "USD/2", "debits": "1005", "credits": "1000", "posted": "-5", "held": "0", "incoming": "0",
                  "available": "-5", "formatted": "-0.05 USD" },
                { "asset": "VACHR/2", "debits": "0", "credits": "250", "posted": "250", "held": "0", "incoming": "0",
                  "available": "250", "formatted": "2.50 VACHR" },
            ],
        })
    );
    assert!(answer.body.contains("1.50"), "free JSON is returned as it was written: {}", answer.body);
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
async fn a_transaction_shows_its_entries_and_its_reversals_in_order() {
    let world = World::with_books().await;
    sqlx::query("update read.transactions set reversals = '{t3,t2}' where transaction = 't1'")
        .execute(world.database.pool())
        .await
        .unwrap();
    let answer = world.get("/v1/ledgers/books/transactions/t1").await;
    let transaction = answer.json();
    assert_eq!(transaction["position"], 7);
    assert_eq!(transaction["reference"], "ref-t1");
    assert_eq!(transaction["reverses"], json!(null));
    assert_eq!(transaction["reversed_by"], json!(["t3", "t2"]));
    assert_eq!(transaction["captures"], json!(null));
    assert_eq!(
        transaction["entries"][0],
        json!({ "account": "Assets:Cash", "direction": "debit", "asset": "USD/2", "amount": "1000" })
    );
}

#[tokio::test]
async fn a_transaction_shows_at_most_100_reversals_and_the_list_has_all() {
    let world = World::with_books().await;
    sqlx::raw_sql(
        "insert into read.transactions select 42, 100 + n, 'part-' || n, now(), now(), null, '{}', '[]', 't1' \
         from generate_series(1, 150) as n; \
         insert into read.entries select 42, 'Assets:Cash', 250, 0, 'USD/2', 'credit', 1, 1, 'part-150', now(), now(); \
         update read.transactions set reversals = (select array_agg('part-' || n) from generate_series(1, 150) as n) \
         where transaction = 't1'",
    )
    .execute(world.database.pool())
    .await
    .unwrap();
    let transaction = world.get("/v1/ledgers/books/transactions/t1").await.json();
    let reversals = transaction["reversed_by"].as_array().unwrap();
    assert_eq!((reversals.len(), &reversals[0], &reversals[99]), (100, &json!("part-1"), &json!("part-100")));
    let ids = async |query: &str| {
        let path = format!("/v1/ledgers/books/transactions?reverses={query}");
        world.get(&path).await.column("transaction")
    };
    let all = ids("t1&limit=500").await;
    assert_eq!((all.len(), &all[0], &all[149]), (150, &json!("part-1"), &json!("part-150")));
    assert_eq!(ids("t1&order=desc&limit=1").await, ["part-150"]);
    assert_eq!(ids("t1&account=Assets:Cash&limit=1").await, ["part-150"]);
    assert_eq!(ids("t2").await, [""; 0]);
}

#[tokio::test]
async fn ledgers_are_listed_with_their_positions_and_assets_with_their_scales() {
    let world = World::with_books().await;
    let ledgers = world.get("/v1/ledgers").await;
    assert_eq!(ledgers.column("ledger"), ["books"]);
    assert_eq!(ledgers.column("position"), [9]);
    let ledger = world.get("/v1/ledgers/books").await;
    assert_eq!(ledger.json()["created_at"], "2026-01-01T00:00:00Z");
    assert_eq!(ledger.header("recount-position"), "9");
    assert_eq!(ledger.json()["effective_window"], json!({ "past_days": null, "future_days": null }));
    assert_eq!((&ledger.json()["closed_through"], &ledger.json()["chart"]), (&json!(null), &json!(null)));
    let assets = world.get("/v1/ledgers/books/assets").await;
    assert_eq!(assets.column("code"), ["USD", "VACHR"]);
    assert_eq!(assets.column("scale"), [2, 2]);
}

#[tokio::test]
async fn a_ledger_shows_its_effective_window_its_closed_period_and_its_chart() {
    let world = World::with_books().await;
    let rule = r#"{"pattern":"users:*","kind":"liability","overdraft":{"limited":[{"asset":"USD/2","amount":"5"}]}}"#;
    sqlx::query(
        "update read.ledgers set window_past_days = 30, window_future_days = 0, \
         closed_through = '2026-01-31T23:59:59.999999Z', chart = ('[' || $1 || ']')::json",
    )
    .bind(rule)
    .execute(world.database.pool())
    .await
    .unwrap();
    let mut ledger = json!({
        "ledger": "books",
        "created_at": "2026-01-01T00:00:00Z",
        "position": 9,
        "stopped_at": null,
        "diverged": false,
        "effective_window": { "past_days": 30, "future_days": 0 },
        "closed_through": "2026-01-31T23:59:59.999999Z",
    });
    // Charts may be long, so a page of ledgers does not have them.
    assert_eq!(world.get("/v1/ledgers").await.json()["items"], json!([ledger]));
    ledger["chart"] = json!([{
        "pattern": "users:*",
        "kind": "liability",
        "overdraft": { "limited": [{ "asset": "USD/2", "amount": "5" }] },
    }]);
    assert_eq!(world.get("/v1/ledgers/books").await.json(), ledger);
}

#[tokio::test]
async fn a_balance_shows_the_held_and_the_available_amount() {
    let world = World::with_everything().await;
    let account = world.get("/v1/ledgers/books/accounts/Equity:Opening").await.json();
    assert_eq!(
        account["balances"][0],
        json!({
            "asset": "USD/2", "debits": "1005", "credits": "1040", "posted": "35", "held": "7", "incoming": "60",
            "available": "28", "formatted": "0.35 USD",
        })
    );
}

#[tokio::test]
async fn an_account_shows_its_customers_and_is_found_by_customer() {
    let world = World::with_everything().await;
    world.link(17, "c-0", "Assets:Cash").await;
    let account = world.get("/v1/ledgers/books/accounts/Assets:Cash").await.json();
    assert_eq!(account["customers"], json!(["c-0", "c-1"]));
    let accounts = async |query: &str| {
        world.get(&format!("/v1/ledgers/books/accounts?customer={query}")).await.column("account")
    };
    assert_eq!(accounts("c-1").await, ["Assets:Cash", "assets:late"]);
    assert_eq!(accounts("c-1&prefix=a").await, ["assets:late"]);
    assert_eq!(accounts("c-0").await, ["Assets:Cash"]);
    assert_eq!(accounts("c-2").await, [""; 0]);
}

#[tokio::test]
async fn a_hold_shows_its_status_and_the_transactions_that_captured_it() {
    let world = World::with_everything().await;
    let answer = world.get("/v1/ledgers/books/holds/auth-1").await;
    assert_eq!(answer.header("recount-position"), "16");
    assert_eq!(
        answer.json(),
        json!({
            "hold": "auth-1",
            "status": "open",
            "debit": "Assets:Cash",
            "credit": "Equity:Opening",
            "asset": "USD/2",
            "amount": "100",
            "captured": "40",
            "released": "0",
            "remaining": "60",
            "expires_at": "2026-02-01T00:00:00Z",
            "metadata": {},
            "captured_by": ["t4"],
            "placed_at": "2026-01-01T00:00:00Z",
            "placed_position": 10,
            "changed_at": "2026-01-01T00:00:00Z",
            "position": 11,
        })
    );
    let capture = world.get("/v1/ledgers/books/transactions/t4").await.json();
    assert_eq!(capture["captures"], "auth-1");
}

#[tokio::test]
async fn holds_are_filtered_by_status_account_and_deadline() {
    let world = World::with_everything().await;
    sqlx::raw_sql(
        "insert into read.holds select 42, 'closed-' || status, 'Assets:Cash', 'Assets:Cash', 'USD/2', 9, 0, 0, 0, status, \
         '2026-03-01T00:00:00Z', '{}', position, now(), now(), position \
         from unnest('{captured,released,expired}'::text[], '{3,20,21}'::bigint[]) as h(status, position)",
    )
    .execute(world.database.pool())
    .await
    .unwrap();
    let ids = async |query: &str| {
        let path = format!("/v1/ledgers/books/holds{query}");
        world.get(&path).await.column("hold")
    };
    assert_eq!(ids("").await, ["closed-captured", "auth-1", "auth-2", "closed-released", "closed-expired"]);
    assert_eq!(ids("?status=open").await, ["auth-1", "auth-2"]);
    assert_eq!(ids("?status=released").await, ["closed-released"]);
    assert_eq!(ids("?account=assets:late").await, ["auth-2"]);
    assert_eq!(ids("?account=Equity:Opening").await, ["auth-1"]);
    assert_eq!(
        ids("?account=Assets:Cash").await,
        ["closed-captured", "auth-1", "auth-2", "closed-released", "closed-expired"]
    );
    assert_eq!(ids("?account=Assets:Cash&status=expired").await, ["closed-expired"]);
    assert_eq!(ids("?expires_before=2026-02-01").await, [""; 0]);
    assert_eq!(ids("?expires_before=2026-02-01T00:00:01Z").await, ["auth-1"]);
    assert_eq!(ids("?expires_before=2027-01-01&status=captured").await, ["closed-captured"]);
    assert_eq!(ids("?account=nobody").await, [""; 0]);
}

#[tokio::test]
async fn transactions_are_filtered_by_the_hold_that_they_capture() {
    let world = World::with_everything().await;
    let ids = async |query: &str| {
        let path = format!("/v1/ledgers/books/transactions?captures={query}");
        world.get(&path).await.column("transaction")
    };
    assert_eq!(ids("auth-1").await, ["t4"]);
    assert_eq!(ids("auth-1&account=Assets:Cash&limit=1&order=desc").await, ["t4"]);
    assert_eq!(ids("auth-1&account=assets:late").await, [""; 0]);
    assert_eq!(ids("auth-2").await, [""; 0]);
}

#[tokio::test]
async fn a_metadata_history_starts_with_the_initial_metadata_and_shows_every_change() {
    let world = World::with_everything().await;
    let history = world.get("/v1/ledgers/books/accounts/Assets:Cash/metadata-history").await;
    assert_eq!(
        history.json(),
        json!({
            "items": [
                { "position": 4, "recorded_at": "2026-01-01T00:00:00Z", "set": { "note": 1.50 }, "removed": [] },
                { "position": 14, "recorded_at": "2026-01-02T00:00:00Z", "set": { "tier": "gold" }, "removed": [] },
                { "position": 16, "recorded_at": "2026-01-03T00:00:00Z", "set": {}, "removed": ["note"] },
            ],
            "next": null,
        })
    );
    assert!(history.body.contains("1.50"), "free JSON is returned as it was written: {}", history.body);
    let history = world.get("/v1/ledgers/books/transactions/t1/metadata-history").await;
    assert_eq!(history.column("set"), [json!({ "note": "May" })]);
}

#[tokio::test]
async fn a_customer_shows_a_profile_and_accounts_until_it_is_forgotten() {
    let world = World::with_everything().await;
    let mut customer = json!({
        "customer": "c-1",
        "profile": { "name": "Alice" },
        "metadata": { "tier": 1.50 },
        "forgotten": false,
        "accounts": ["Assets:Cash", "assets:late"],
        "registered_at": "2026-01-01T00:00:00Z",
        "registered_position": 13,
        "position": 13,
    });
    assert_eq!(world.get("/v1/ledgers/books/customers/c-1").await.json(), customer);
    let forgotten = world.get("/v1/ledgers/books/customers/c-2").await.json();
    for (member, value) in [
        ("customer", json!("c-2")),
        ("profile", json!({})),
        ("metadata", json!({})),
        ("forgotten", json!(true)),
        ("accounts", json!([])),
        ("registered_position", json!(14)),
        ("position", json!(14)),
    ] {
        customer[member] = value;
    }
    assert_eq!(forgotten, customer);
}

#[tokio::test]
async fn customers_are_found_by_account() {
    let world = World::with_everything().await;
    let customers = async |query: &str| {
        world.get(&format!("/v1/ledgers/books/customers{query}")).await.column("customer")
    };
    assert_eq!(customers("").await, ["c-1", "c-2"]);
    assert_eq!(customers("?account=Assets:Cash").await, ["c-1"]);
    assert_eq!(customers("?account=Equity:Opening").await, [""; 0]);
}

#[tokio::test]
async fn a_customer_shows_at_most_100_accounts_and_the_list_has_all() {
    let world = World::with_everything().await;
    sqlx::raw_sql(
        "insert into read.customer_accounts select 42, 'c-2', 'Assets:' || n, 20, now() from generate_series(100, 250) n; \
         insert into read.accounts select 42, 'Assets:' || n, 'asset', '\"none\"', false, false, false, '{}', 9, now(), 9 \
         from generate_series(100, 250) as n",
    )
    .execute(world.database.pool())
    .await
    .unwrap();
    let customer = world.get("/v1/ledgers/books/customers/c-2").await.json();
    let accounts = customer["accounts"].as_array().unwrap();
    assert_eq!((accounts.len(), &accounts[99]), (100, &json!("Assets:199")));
    let listed = world.get("/v1/ledgers/books/accounts?customer=c-2&limit=500").await;
    assert_eq!(listed.column("account").len(), 151);
}

#[tokio::test]
async fn accounts_with_a_colon_or_a_slash_in_their_names_have_an_address() {
    let world = World::with_books().await;
    world.open_account(10, "users:a/b", "asset").await;
    let answer = world.get("/v1/ledgers/books/accounts/users:a%2Fb").await;
    assert_eq!(answer.json()["account"], "users:a/b");
    let statement = world.get("/v1/ledgers/books/accounts/users:a%2Fb/statement").await;
    assert_eq!(statement.json()["items"], json!([]));
}
