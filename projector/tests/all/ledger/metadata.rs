//! Changes of metadata after opening or posting: the current metadata and its history.

use recount_events::ledger::{
    AccountKind, AccountOpened, LedgerEvent, MetadataOwner, MetadataRemoved, MetadataSet,
};

use super::book::{
    Book, account_opened, metadata, of_account, of_transaction, opened, posted, transaction, transfer,
};

fn set(of: MetadataOwner, members: &str) -> LedgerEvent {
    LedgerEvent::MetadataSet(MetadataSet { of, metadata: metadata(members) })
}

fn removed(of: MetadataOwner, keys: &[&str]) -> LedgerEvent {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    LedgerEvent::MetadataRemoved(MetadataRemoved { of, keys })
}

fn opened_with(name: &str, members: &str) -> LedgerEvent {
    let event = account_opened(name, AccountKind::Asset);
    LedgerEvent::AccountOpened(AccountOpened { metadata: metadata(members), ..event })
}

const HISTORY: &str =
    "select format('%s %s %s %s %s', owner_kind, owner, position, set_members, removed_keys)
                       from read.metadata_history order by owner_kind, owner, position";

#[tokio::test]
async fn members_are_merged_and_keys_removed_and_every_change_is_kept() {
    let book = Book::new().await;
    book.apply([opened_with("a", r#"{"tier":"gold","note":1.5}"#), opened("b", AccountKind::Asset)]).await;
    book.apply([
        set(of_account("a"), r#"{"tier":{"level":2},"vip":true}"#),
        removed(of_account("a"), &["note"]),
        set(of_account("b"), r#"{"x":null}"#),
    ])
    .await;
    book.apply([removed(of_account("a"), &["vip", "tier"]), set(of_account("a"), r#"{"vip":false}"#)]).await;
    assert_eq!(
        book.rows("select format('%s %s', account, metadata) from read.accounts order by account").await,
        [r#"a {"vip":false}"#, r#"b {"x":null}"#]
    );
    assert_eq!(
        book.rows(HISTORY).await,
        [
            r#"account a 1 {"note":1.5,"tier":"gold"} []"#,
            r#"account a 3 {"tier":{"level":2},"vip":true} []"#,
            r#"account a 4 {} ["note"]"#,
            r#"account a 6 {} ["vip","tier"]"#,
            r#"account a 7 {"vip":false} []"#,
            "account b 2 {} []",
            r#"account b 5 {"x":null} []"#,
        ]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn metadata_can_be_changed_in_the_batch_that_created_its_owner() {
    let book = Book::new().await;
    let mut noted = transaction("t1", transfer("a", "a", "USD/2", 1));
    noted.metadata = metadata(r#"{"note":"May","by":"x"}"#);
    book.apply([
        opened_with("a", r#"{"tier":"gold"}"#),
        set(of_account("a"), r#"{"tier":"none"}"#),
        LedgerEvent::TransactionPosted(noted),
        removed(of_transaction("t1"), &["by"]),
        set(of_transaction("t1"), r#"{"note":"June"}"#),
    ])
    .await;
    let current = "select format('%s', metadata) from read.accounts
                   union all select format('%s', metadata) from read.transactions";
    assert_eq!(book.rows(current).await, [r#"{"tier":"none"}"#, r#"{"note":"June"}"#]);
    assert_eq!(
        book.rows(HISTORY).await,
        [
            r#"account a 1 {"tier":"gold"} []"#,
            r#"account a 2 {"tier":"none"} []"#,
            r#"transaction t1 3 {"by":"x","note":"May"} []"#,
            r#"transaction t1 4 {} ["by"]"#,
            r#"transaction t1 5 {"note":"June"} []"#,
        ]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn metadata_of_a_transaction_from_an_earlier_batch_can_be_changed() {
    let book = Book::new().await;
    book.apply([
        opened("a", AccountKind::Asset),
        posted("t1", transfer("a", "a", "USD/2", 1)),
        posted("t2", transfer("a", "a", "USD/2", 1)),
    ])
    .await;
    book.apply([set(of_transaction("t2"), r#"{"note":"a \"quoted\" \u0000 byte"}"#)]).await;
    book.apply([set(of_transaction("t2"), r#"{"more":[1]}"#)]).await;
    assert_eq!(
        book.rows("select format('%s %s', transaction, metadata) from read.transactions order by position")
            .await,
        ["t1 {}", r#"t2 {"more":[1],"note":"a \"quoted\" \u0000 byte"}"#]
    );
    assert_eq!(
        book.rows(
            "select format('%s %s', position, set_members) from read.metadata_history
                   where owner_kind = 'transaction' and owner = 't2' order by position"
        )
        .await,
        ["3 {}", r#"4 {"note":"a \"quoted\" \u0000 byte"}"#, r#"5 {"more":[1]}"#]
    );
    book.assert_same_event_by_event().await;
}
