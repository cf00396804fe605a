//! Holds: placing, capturing, releasing and expiring them, and the effect on balances.

use recount_events::ledger::{AccountKind, HoldPlaced, LedgerEvent, TransactionPosted};

use super::book::{
    Book, TestHold, account, amount, asset, hold_id, metadata, opened, posted, transaction, transfer,
};

/// The example from the definitions of the balances: Alice's wallet is a liability of the bank.
const ALICE_TO_SHOP: TestHold = TestHold { id: "h1", debit: "alice", credit: "shop" };
const BOB_TO_ALICE: TestHold = TestHold { id: "h2", debit: "bob", credit: "alice" };

fn accounts() -> Vec<LedgerEvent> {
    vec![
        opened("bank", AccountKind::Asset),
        opened("alice", AccountKind::Liability),
        opened("bob", AccountKind::Liability),
        opened("shop", AccountKind::Liability),
    ]
}

const HOLDS: &str =
    "select format('%s %s %s = %s + %s + %s', hold, status, amount, captured, released, remaining)
                     from read.holds order by placed_position";
const ALICE: &str = "select format('%s %s %s %s', posted, held, incoming, available) from read.balances
                     where account = 'alice'";

#[tokio::test]
async fn posted_held_incoming_and_available_follow_their_definitions() {
    let book = Book::new().await;
    book.apply(accounts()).await;
    for (event, figures) in [
        (posted("t1", transfer("bank", "alice", "USD/2", 10_000)), "10000 0 0 10000"),
        (ALICE_TO_SHOP.placed(3_000), "10000 3000 0 7000"),
        (BOB_TO_ALICE.placed(500), "10000 3000 500 7000"),
        (ALICE_TO_SHOP.captured("t2", 2_000, 1_000), "8000 1000 500 7000"),
        (ALICE_TO_SHOP.released(1_000), "8000 0 500 8000"),
        (BOB_TO_ALICE.captured("t3", 500, 0), "8500 0 0 8500"),
    ] {
        book.apply([event]).await;
        assert_eq!(book.rows(ALICE).await, [figures]);
    }
    assert_eq!(
        book.rows(
            "select format('%s %s %s %s %s', account, debits, credits, held_debits, held_credits)
                   from read.balances order by account"
        )
        .await,
        ["alice 2000 10500 0 0", "bank 10000 0 0 0", "bob 500 0 0 0", "shop 0 2000 0 0"]
    );
    assert_eq!(
        book.rows(HOLDS).await,
        ["h1 released 3000 = 2000 + 1000 + 0", "h2 captured 500 = 500 + 0 + 0"]
    );
}

#[tokio::test]
async fn a_credit_hold_reduces_the_available_balance_of_a_debit_normal_account() {
    let book = Book::new().await;
    book.apply(accounts()).await;
    let out = TestHold { id: "h1", debit: "alice", credit: "bank" };
    let into = TestHold { id: "h2", debit: "bank", credit: "bob" };
    book.apply([posted("t1", transfer("bank", "alice", "USD/2", 100)), out.placed(30), into.placed(4)]).await;
    assert_eq!(
        book.rows(
            "select format('%s %s %s %s', posted, held, incoming, available) from read.balances
                   where account = 'bank'"
        )
        .await,
        ["100 30 4 70"]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn each_way_a_hold_ends_sets_its_status_and_frees_the_remaining_amount() {
    let book = Book::new().await;
    let hold = |id| TestHold { id, debit: "alice", credit: "shop" };
    let names = ["open", "partly", "used-up", "final", "released", "expired"];
    book.apply(accounts()).await;
    book.apply(names.map(|id| hold(id).placed(100))).await;
    book.apply([
        hold("partly").captured("t1", 10, 90),
        hold("used-up").captured("t2", 60, 40),
        hold("used-up").captured("t3", 40, 0),
        hold("final").captured_and_released("t4", 70, 30),
    ])
    .await;
    book.apply([hold("released").released(100), hold("expired").expired(100)]).await;
    assert_eq!(
        book.rows(HOLDS).await,
        [
            "open open 100 = 0 + 0 + 100",
            "partly open 100 = 10 + 0 + 90",
            "used-up captured 100 = 100 + 0 + 0",
            "final captured 100 = 70 + 30 + 0",
            "released released 100 = 0 + 100 + 0",
            "expired expired 100 = 0 + 100 + 0",
        ]
    );
    assert_eq!(book.rows(ALICE).await, ["-180 190 0 -370"]);
    assert_eq!(
        book.rows("select concat_ws(' ', transaction, captures) from read.transactions order by position")
            .await,
        ["t1 partly", "t2 used-up", "t3 used-up", "t4 final"]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_hold_can_be_placed_used_and_closed_in_the_batch_that_opens_its_accounts() {
    let book = Book::new().await;
    let [one, two] = ["h1", "h2"].map(|id| TestHold { id, debit: "alice", credit: "shop" });
    let mut events = accounts();
    events.extend([
        one.placed(100),
        posted("t0", transfer("bank", "alice", "USD/2", 7)),
        one.captured("t1", 30, 70),
        two.placed(5),
        one.captured_and_released("t2", 20, 50),
        two.expired(5),
    ]);
    book.apply(events).await;
    assert_eq!(book.rows(HOLDS).await, ["h1 captured 100 = 50 + 50 + 0", "h2 expired 5 = 0 + 5 + 0"]);
    assert_eq!(book.rows(ALICE).await, ["-43 0 0 -43"]);
    assert_eq!(
        book.rows("select format('%s %s %s', hold, placed_position, position) from read.holds order by hold")
            .await,
        ["h1 5 9", "h2 8 10"]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_hold_shows_its_accounts_amount_expiry_metadata_and_times() {
    let book = Book::new().await;
    let placed = HoldPlaced {
        hold: hold_id("auth-1"),
        debit: account("alice"),
        credit: account("shop"),
        asset: asset("USD/2"),
        amount: amount(i128::MAX),
        expires_at: Some("2026-02-07T12:00:00.000001Z".parse().unwrap()),
        metadata: metadata(r#"{"terminal":"7"}"#),
    };
    book.apply(accounts()).await;
    book.apply([LedgerEvent::HoldPlaced(placed)]).await;
    assert_eq!(
        book.rows(
            "select format('%s %s %s %s %s %s %s', hold, debit, credit, asset, amount, metadata,
                                 to_char(expires_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US'))
                   from read.holds where placed_at = changed_at"
        )
        .await,
        [format!("auth-1 alice shop USD/2 {} {{\"terminal\":\"7\"}} 2026-02-07 12:00:00.000001", i128::MAX)]
    );
    book.apply([TestHold { id: "auth-1", debit: "alice", credit: "shop" }.released(i128::MAX)]).await;
    assert_eq!(
        book.rows(
            "select format('%s %s %s', placed_position, position, changed_at > placed_at) from read.holds"
        )
        .await,
        ["5 6 t"]
    );
}

#[tokio::test]
async fn a_hold_from_an_account_to_itself_is_both_held_and_incoming() {
    let book = Book::new().await;
    let own = TestHold { id: "h1", debit: "alice", credit: "alice" };
    book.apply(accounts()).await;
    book.apply([own.placed(10)]).await;
    assert_eq!(book.rows(ALICE).await, ["0 10 10 -10"]);
    book.apply([own.captured("t1", 4, 6)]).await;
    assert_eq!(book.rows(ALICE).await, ["0 6 6 -6"]);
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_transaction_without_a_capture_leaves_holds_unchanged() {
    let book = Book::new().await;
    book.apply(accounts()).await;
    book.apply([ALICE_TO_SHOP.placed(10)]).await;
    book.apply([posted("t1", transfer("alice", "shop", "USD/2", 3))]).await;
    assert_eq!(book.rows(ALICE).await, ["-3 10 0 -13"]);
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn reversing_a_capture_does_not_reopen_the_hold() {
    let book = Book::new().await;
    book.apply(accounts()).await;
    book.apply([ALICE_TO_SHOP.placed(10), ALICE_TO_SHOP.captured("t1", 10, 0)]).await;
    let back = TransactionPosted {
        reverses: Some("t1".parse().unwrap()),
        ..transaction("t2", transfer("shop", "alice", "USD/2", 10))
    };
    book.apply([LedgerEvent::TransactionPosted(back)]).await;
    assert_eq!(book.rows(HOLDS).await, ["h1 captured 10 = 10 + 0 + 0"]);
    assert_eq!(book.rows(ALICE).await, ["0 0 0 0"]);
    book.assert_same_event_by_event().await;
}
