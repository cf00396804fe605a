//! Pages and cursors.

use serde_json::Value;

use crate::world::World;

/// Follows the `Link` headers from this path to the last page, and collects one member of all items.
async fn follow(world: &World, path: &str, member: &str) -> Vec<Value> {
    let mut collected = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let answer = world.get(&path).await;
        collected.extend(answer.column(member));
        let link = answer.header("link");
        next = link.strip_prefix('<').map(|link| {
            let (target, relation) = link.split_once('>').unwrap();
            assert_eq!(relation, "; rel=\"next\"");
            target.to_owned()
        });
        assert_eq!(next.is_some(), answer.json()["next"].is_string());
        assert!(collected.len() < 100, "the pages come to an end");
    }
    collected
}

#[tokio::test]
async fn every_list_can_be_followed_to_its_end_and_shows_each_item_once() {
    let world = World::with_books().await;
    let ledger = "/v1/ledgers/books";
    for (path, member, expected) in [
        ("/accounts?limit=1", "account", ["Assets:Cash", "Equity:Opening", "assets:late"].as_slice()),
        ("/accounts?limit=1&prefix=Assets", "account", &["Assets:Cash"]),
        ("/transactions?limit=1", "transaction", &["t1", "t2", "t3"]),
        ("/transactions?limit=1&order=desc", "transaction", &["t3", "t2", "t1"]),
        ("/transactions?limit=2&account=Assets:Cash", "transaction", &["t1", "t2", "t3"]),
        ("/transactions?limit=1&account=Assets:Cash&order=desc", "transaction", &["t3", "t2", "t1"]),
        ("/accounts/Assets:Cash/statement?limit=2", "transaction", &["t1", "t2", "t3"]),
        ("/accounts/Assets:Cash/statement?limit=1&asset=USD%2F2", "transaction", &["t1", "t2"]),
        ("/assets?limit=1", "code", &["USD", "VACHR"]),
    ] {
        assert_eq!(follow(&world, &format!("{ledger}{path}"), member).await, expected, "{path}");
    }
    assert_eq!(follow(&world, "/v1/ledgers?limit=1", "ledger").await, ["books"]);
}

#[tokio::test]
async fn the_lists_of_holds_customers_and_metadata_changes_can_be_followed_too() {
    let world = World::with_everything().await;
    let ledger = "/v1/ledgers/books";
    for (path, member, expected) in [
        ("/holds?limit=1", "hold", ["auth-1", "auth-2"].as_slice()),
        ("/holds?limit=1&account=Assets:Cash", "hold", &["auth-1", "auth-2"]),
        ("/holds?limit=1&status=open&expires_before=2027-01-01", "hold", &["auth-1"]),
        ("/customers?limit=1", "customer", &["c-1", "c-2"]),
        ("/customers?limit=1&account=Assets:Cash", "customer", &["c-1"]),
        ("/accounts?limit=1&customer=c-1", "account", &["Assets:Cash", "assets:late"]),
        ("/transactions?limit=1&captures=auth-1", "transaction", &["t4"]),
    ] {
        assert_eq!(follow(&world, &format!("{ledger}{path}"), member).await, expected, "{path}");
    }
    let history = format!("{ledger}/accounts/Assets:Cash/metadata-history?limit=1");
    assert_eq!(follow(&world, &history, "position").await, [4, 14, 16]);
}

#[tokio::test]
async fn the_entries_of_one_transaction_may_be_on_two_pages() {
    let world = World::with_books().await;
    world
        .post(
            10,
            "t4",
            "2013-08-01",
            &[("Assets:Cash", "debit", "USD/2", "7", "2"), ("Assets:Cash", "credit", "USD/2", "7", "-5")],
        )
        .await;
    let path = "/v1/ledgers/books/accounts/Assets:Cash/statement?after=9&limit=1";
    assert_eq!(follow(&world, path, "line").await, [0, 1]);
}

#[tokio::test]
async fn a_cursor_is_refused_in_another_list_or_with_other_filters() {
    let world = World::with_books().await;
    let first = world.get("/v1/ledgers/books/transactions?limit=1").await.json();
    let cursor = first["next"].as_str().unwrap();
    for path in [
        format!("/v1/ledgers/books/transactions?order=desc&cursor={cursor}"),
        format!("/v1/ledgers/books/transactions?account=Assets:Cash&cursor={cursor}"),
        format!("/v1/ledgers/books/transactions?captures=auth-1&cursor={cursor}"),
        format!("/v1/ledgers/books/transactions?reverses=t1&cursor={cursor}"),
        format!("/v1/ledgers/books/accounts?cursor={cursor}"),
        format!("/v1/ledgers/books/holds?cursor={cursor}"),
        "/v1/ledgers/books/transactions?cursor=garbage".to_owned(),
    ] {
        assert_eq!(world.get(&path).await.problem(), (400, "invalid-cursor".into()), "{path}");
    }
    let other_limit = format!("/v1/ledgers/books/transactions?limit=5&cursor={cursor}");
    assert_eq!(world.get(&other_limit).await.column("transaction"), ["t2", "t3"]);
}
