//! Customers: their details, their links to accounts, and forgetting.

use recount_events::ledger::{
    AccountKind, AccountLinked, AccountUnlinked, CustomerForgotten, CustomerRegistered, CustomerUpdated,
    LedgerEvent, Metadata, Personal, Profile,
};

use super::book::{Book, account, customer, metadata, opened};

fn profile(name: &str) -> Profile {
    Profile {
        name: Some(Personal(name.to_owned())),
        attributes: [("passport".to_owned(), Personal(format!("{name}-77")))].into(),
        ..Profile::default()
    }
}

pub(super) fn registered(id: &str, members: &str) -> LedgerEvent {
    LedgerEvent::CustomerRegistered(CustomerRegistered {
        customer: customer(id),
        profile: profile("Alice"),
        metadata: metadata(members),
    })
}

pub(super) fn updated(id: &str, name: &str) -> LedgerEvent {
    LedgerEvent::CustomerUpdated(CustomerUpdated {
        customer: customer(id),
        profile: profile(name),
        metadata: Metadata::new(),
    })
}

pub(super) fn forgotten(id: &str) -> LedgerEvent {
    LedgerEvent::CustomerForgotten(CustomerForgotten { customer: customer(id) })
}

pub(super) fn linked(id: &str, name: &str) -> LedgerEvent {
    LedgerEvent::AccountLinked(AccountLinked { customer: customer(id), account: account(name) })
}

pub(super) fn unlinked(id: &str, name: &str) -> LedgerEvent {
    LedgerEvent::AccountUnlinked(AccountUnlinked { customer: customer(id), account: account(name) })
}

const SHOWN: &str =
    "select format('%s %s %s %s %s %s', customer, profile, metadata, forgotten, registered_position,
                                   position) from read.customers order by customer";
const LINKS: &str =
    "select format('%s %s %s', customer, account, linked_position) from read.customer_accounts
                     order by customer, account";

#[tokio::test]
async fn an_update_replaces_the_whole_profile_and_metadata_of_a_customer() {
    let book = Book::new().await;
    book.apply([registered("c-1", r#"{"segment":"retail"}"#)]).await;
    let alice = r#"{"name":"Alice","attributes":{"passport":"Alice-77"}}"#;
    assert_eq!(book.rows(SHOWN).await, [format!(r#"c-1 {alice} {{"segment":"retail"}} f 1 1"#)]);
    book.apply([updated("c-1", "Ann"), updated("c-1", "Eve")]).await;
    let eve = r#"{"name":"Eve","attributes":{"passport":"Eve-77"}}"#;
    assert_eq!(book.rows(SHOWN).await, [format!("c-1 {eve} {{}} f 1 3")]);
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn accounts_are_linked_and_unlinked() {
    let book = Book::new().await;
    book.apply([
        opened("a", AccountKind::Asset),
        opened("b", AccountKind::Asset),
        registered("c-1", "{}"),
        registered("c-2", "{}"),
        linked("c-1", "a"),
        linked("c-1", "b"),
        linked("c-2", "a"),
    ])
    .await;
    assert_eq!(book.rows(LINKS).await, ["c-1 a 5", "c-1 b 6", "c-2 a 7"]);
    book.apply([
        unlinked("c-1", "a"),
        unlinked("c-1", "b"),
        linked("c-1", "b"),
        linked("c-2", "b"),
        unlinked("c-2", "b"),
    ])
    .await;
    assert_eq!(book.rows(LINKS).await, ["c-1 b 10", "c-2 a 7"]);
    assert_eq!(
        book.rows("select format('%s %s', customer, position) from read.customers order by customer").await,
        ["c-1 10", "c-2 12"]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn forgetting_a_customer_keeps_only_the_row_and_the_links() {
    let book = Book::new().await;
    book.apply([
        opened("a", AccountKind::Asset),
        registered("c-1", r#"{"segment":"retail"}"#),
        linked("c-1", "a"),
    ])
    .await;
    book.apply([forgotten("c-1")]).await;
    assert_eq!(book.rows(SHOWN).await, ["c-1 {} {} t 2 4"]);
    assert_eq!(book.rows(LINKS).await, ["c-1 a 3"]);
    // A forgotten customer can still be unlinked.
    book.apply([unlinked("c-1", "a")]).await;
    assert_eq!(book.rows(SHOWN).await, ["c-1 {} {} t 2 5"]);
    assert_eq!(book.rows(LINKS).await, [""; 0]);
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn forgetting_leaves_no_personal_data_in_any_table_for_any_batch_sizes() {
    let mut book = Book::new().await;
    book.apply([
        opened("a", AccountKind::Asset),
        registered("c-1", r#"{"nick":"Alice"}"#),
        updated("c-1", "Alice II"),
        linked("c-1", "a"),
        registered("c-2", "{}"),
        forgotten("c-1"),
        forgotten("c-2"),
    ])
    .await;
    for size in [7, 1, 2, 3, 5] {
        book.rebuild_in_batches(|| size).await;
        let contents = book.contents().await;
        assert!(contents.iter().any(|row| row.starts_with("customers")), "{contents:?}");
        assert!(!contents.iter().any(|row| row.contains("Alice")), "in batches of {size}: {contents:?}");
    }
}
