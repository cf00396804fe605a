//! The trial balance in both formats.

use serde_json::json;

use crate::world::World;

const PATH: &str = "/v1/ledgers/books/trial-balance";

#[tokio::test]
async fn a_trial_balance_has_every_account_and_asset_and_equal_totals() {
    let world = World::with_books().await;
    let answer = world.get(PATH).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("recount-position"), "9");
    let balance = answer.json();
    assert_eq!(balance["position"], 9);
    assert_eq!(balance["rows"].as_array().unwrap().len(), 4);
    assert_eq!(
        balance["rows"][2],
        json!({
            "account": "Equity:Opening", "kind": "equity", "asset": "USD/2", "debits": "1005", "credits": "1000",
            "balance": "-5", "net": "5", "formatted": "0.05 USD",
        })
    );
    assert_eq!(
        balance["totals"],
        json!([
            { "asset": "USD/2", "debits": "2005", "credits": "2005", "balanced": true },
            { "asset": "VACHR/2", "debits": "250", "credits": "250", "balanced": true },
        ])
    );
}

#[tokio::test]
async fn held_amounts_are_not_in_a_trial_balance() {
    let world = World::with_everything().await;
    let accounts: Vec<_> = world.get(PATH).await.json()["rows"].as_array().unwrap().clone();
    assert_eq!(accounts.len(), 4, "{accounts:?}");
    assert!(accounts.iter().all(|row| row["account"] != "assets:late"), "{accounts:?}");
}

#[tokio::test]
async fn as_csv_it_has_one_line_per_account_with_debits_positive() {
    let world = World::with_books().await;
    let expected = "\"account\",\"balance\"\n\
                    \"Assets:Cash\",\"-0.05 USD, 2.50 VACHR\"\n\
                    \"Equity:Opening\",\"0.05 USD, -2.50 VACHR\"\n";
    let asked = world.get(&format!("{PATH}?format=csv")).await;
    assert_eq!(asked.body, expected);
    let accepted = world.get_with(PATH, &[("accept", "text/csv")]).await;
    assert_eq!(accepted.body, expected);
    assert_eq!(accepted.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(accepted.header("recount-position"), "9");
}

#[tokio::test]
async fn an_account_whose_balances_are_all_zero_has_the_balance_zero() {
    let world = World::with_books().await;
    world
        .post(
            10,
            "t4",
            "2013-08-01",
            &[
                ("Assets:Cash", "debit", "USD/2", "5", "0"),
                ("Equity:Opening", "credit", "USD/2", "5", "0"),
                ("Assets:Cash", "credit", "VACHR/2", "250", "0"),
                ("Equity:Opening", "debit", "VACHR/2", "250", "0"),
            ],
        )
        .await;
    let answer = world.get(&format!("{PATH}?format=csv")).await;
    assert_eq!(answer.body, "\"account\",\"balance\"\n\"Assets:Cash\",\"0\"\n\"Equity:Opening\",\"0\"\n");
}

#[tokio::test]
async fn with_a_moment_only_earlier_entries_count() {
    let world = World::with_books().await;
    let answer = world.get(&format!("{PATH}?format=csv&effective_before=2013-07-01")).await;
    assert_eq!(
        answer.body,
        "\"account\",\"balance\"\n\
         \"Assets:Cash\",\"10.00 USD, 2.50 VACHR\"\n\
         \"Equity:Opening\",\"-10.00 USD, -2.50 VACHR\"\n"
    );
    let answer = world.get(&format!("{PATH}?effective_before=2013-01-01")).await;
    assert_eq!(answer.json()["rows"], json!([]));
    assert_eq!(answer.json()["effective_before"], "2013-01-01T00:00:00Z");
}

#[tokio::test]
async fn a_trial_balance_that_is_longer_than_one_part_is_complete() {
    let world = World::with_books().await;
    sqlx::raw_sql(
        "insert into read.accounts select 42, 'Assets:' || n, 'asset', '\"none\"', false, false, false, '{}', 9, now(), 9 \
         from generate_series(1, 5000) as n; \
         insert into read.balances select 42, 'Assets:' || n, 'USD/2', n, n, 9 from generate_series(1, 5000) as n",
    )
    .execute(world.database.pool())
    .await
    .unwrap();
    let balance = world.get(PATH).await.json();
    assert_eq!(balance["rows"].as_array().unwrap().len(), 5_004);
    assert_eq!(balance["totals"][0]["debits"], "12504505");
    let lines = world.get(&format!("{PATH}?format=csv")).await.body.lines().count();
    assert_eq!(lines, 5_003);
}

#[tokio::test]
async fn sums_that_exceed_every_integer_type_are_exact() {
    let world = World::with_books().await;
    let most = i128::MAX.to_string();
    for (position, id) in [(10, "t10"), (11, "t11"), (12, "t12")] {
        world
            .post(
                position,
                id,
                "2014-01-01",
                &[
                    ("Assets:Cash", "debit", "USD/2", &most, "0"),
                    ("Assets:Cash", "credit", "USD/2", &most, "0"),
                ],
            )
            .await;
    }
    let answer = world.get(PATH).await.json();
    assert_eq!(answer["rows"][0]["debits"], "510423550381407695195061911147652318181");
    assert_eq!(answer["rows"][0]["net"], "-5");
}
