//! Events that contradict earlier events: the log stops before such an event, wherever it is in a batch.

use recount_core::Position;
use recount_events::ledger::{
    AccountFrozen, AccountKind, Capture, Direction, FreezeScope, LedgerEvent, MetadataRemoved, PeriodClosed,
    TransactionPosted,
};
use recount_projection::FeedOutcome;
use recount_projector::ledger::LedgerProjection;

use super::book::{
    Book, TestHold, account, created, entry, hold_id, of_account, of_transaction, opened, posted, reversal,
    transaction, transfer,
};
use super::customers::{forgotten, linked, registered, unlinked, updated};

const HOLD: TestHold = TestHold { id: "h1", debit: "a", credit: "b" };

/// The events before the contradiction, which is at the next position.
fn before() -> Vec<LedgerEvent> {
    vec![
        created(),
        opened("a", AccountKind::Asset),
        opened("b", AccountKind::Income),
        posted("t1", transfer("a", "b", "USD/2", 1)),
        HOLD.placed(100),
        registered("c-1", "{}"),
        linked("c-1", "a"),
        registered("c-2", "{}"),
        forgotten("c-2"),
    ]
}

fn capturing(id: &str, entries: Vec<recount_events::ledger::Entry>) -> LedgerEvent {
    let captures = Some(Capture { hold: hold_id("h1"), remaining: None, released: None });
    LedgerEvent::TransactionPosted(TransactionPosted { captures, ..transaction(id, entries) })
}

/// Contradicting events, each with a part of the reason. If a new row already exists, the reason comes from the database
/// and names the constraint.
fn cases() -> Vec<(LedgerEvent, &'static str)> {
    let removed = |of| LedgerEvent::MetadataRemoved(MetadataRemoved { of, keys: vec!["x".to_owned()] });
    let frozen = AccountFrozen { account: account("nobody"), scope: FreezeScope::Both };
    let other = |credit| TestHold { credit, ..HOLD };
    let debit_twice =
        vec![entry(Direction::Debit, "a", "USD/2", 100), entry(Direction::Debit, "b", "USD/2", 100)];
    vec![
        (created(), "ledgers_pkey"),
        (opened("a", AccountKind::Asset), "accounts_pkey"),
        (posted("t2", transfer("a", "nobody", "USD/2", 1)), "account `nobody` was never opened"),
        (posted("t1", transfer("a", "b", "USD/2", 1)), "transactions_transaction_key"),
        (reversal("t2", "none", transfer("b", "a", "USD/2", 1)), "there is no transaction `none`"),
        (reversal("t2", "t2", transfer("b", "a", "USD/2", 1)), "there is no transaction `t2`"),
        (LedgerEvent::AccountFrozen(frozen), "account `nobody` was never opened"),
        (removed(of_account("nobody")), "account `nobody` was never opened"),
        (removed(of_transaction("none")), "there is no transaction `none`"),
        (HOLD.placed(1), "holds_pkey"),
        (TestHold { id: "h2", debit: "a", credit: "nobody" }.placed(1), "account `nobody` was never opened"),
        (TestHold { id: "h2", ..HOLD }.released(1), "there is no hold `h2`"),
        (TestHold { id: "h2", ..HOLD }.captured("t2", 1, 0), "there is no hold `h2`"),
        (HOLD.released(99), "the event captures 0 of hold `h1`, releases 99 and leaves 0, but 100 remained"),
        (HOLD.expired(101), "the event captures 0 of hold `h1`, releases 101 and leaves 0, but 100 remained"),
        (
            HOLD.captured("t2", 60, 41),
            "the event captures 60 of hold `h1`, releases 0 and leaves 41, but 100 remained",
        ),
        (HOLD.captured("t2", i128::MAX - 1, i128::MAX), "but 100 remained"),
        (
            HOLD.captured_and_released("t2", 60, 41),
            "captures 60 of hold `h1`, releases 41 and leaves 0, but 100 remained",
        ),
        (other("a").released(100), "hold `h1` has other accounts or another asset"),
        (other("a").captured("t2", 100, 0), "hold `h1` has other accounts or another asset"),
        (capturing("t2", transfer("a", "b", "EUR/2", 100)), "hold `h1` has other accounts or another asset"),
        (
            capturing("t2", debit_twice),
            "a capture of hold `h1` must be one debit and one credit of one asset and amount",
        ),
        (registered("c-1", "{}"), "customers_pkey"),
        (registered("c-2", "{}"), "customers_pkey"),
        (updated("c-3", "Eve"), "customer `c-3` was never registered"),
        (forgotten("c-3"), "customer `c-3` was never registered"),
        (updated("c-2", "Eve"), "customer `c-2` was forgotten"),
        (linked("c-3", "b"), "customer `c-3` was never registered"),
        (linked("c-1", "nobody"), "account `nobody` was never opened"),
        (linked("c-1", "a"), "account `a` is already linked to customer `c-1`"),
        (unlinked("c-1", "b"), "account `b` is not linked to customer `c-1`"),
    ]
}

#[tokio::test]
async fn a_contradicting_event_stops_the_log_before_it_for_any_batch_sizes() {
    let mut book = Book::new().await;
    let expected = Position(i64::try_from(before().len()).unwrap() + 1);
    for (n, (bad, reason)) in cases().into_iter().enumerate() {
        book.log = format!("case-{n}").parse().unwrap();
        let mut events = before();
        events.extend([bad.clone(), posted("t9", transfer("a", "b", "USD/2", 1))]);
        let head = book.append(&events).await;
        let recorded = book.recorded_events().await;
        for size in [usize::MAX, 4, 1] {
            let engine = book.world.engine(LedgerProjection).await;
            let mut outcome = FeedOutcome::At(Position::START);
            for batch in recorded.chunks(size.min(recorded.len())) {
                outcome = engine.apply_feed(&book.log, batch).await.unwrap();
            }
            assert_eq!(outcome, FeedOutcome::Stopped, "{bad:?} in batches of {size}, up to {head}");
            let stopped = engine.status().report().stopped[0].1.clone();
            assert_eq!(stopped.at, expected, "{bad:?} in batches of {size}: {}", stopped.reason);
            assert!(stopped.reason.contains(reason), "{bad:?} in batches of {size}: {}", stopped.reason);
            assert_eq!(book.world.progress("ledger_v2", &book.log).await, expected.0 - 1);
            book.clear().await;
        }
    }
}

#[tokio::test]
async fn an_event_about_something_created_later_in_its_batch_is_the_contradiction() {
    let mut book = Book::new().await;
    let closed = PeriodClosed { through: "2026-01-31T00:00:00Z".parse().unwrap() };
    let a_and_b = [opened("a", AccountKind::Asset), opened("b", AccountKind::Asset)];
    let cases = [
        vec![LedgerEvent::PeriodClosed(closed), created()],
        vec![a_and_b[0].clone(), posted("t1", transfer("a", "b", "USD/2", 1)), a_and_b[1].clone()],
        vec![a_and_b[0].clone(), HOLD.placed(1), a_and_b[1].clone()],
        vec![a_and_b[0].clone(), a_and_b[1].clone(), HOLD.released(1), HOLD.placed(1)],
        vec![
            LedgerEvent::AccountFrozen(AccountFrozen { account: account("a"), scope: FreezeScope::Both }),
            a_and_b[0].clone(),
        ],
        vec![
            a_and_b[0].clone(),
            a_and_b[1].clone(),
            reversal("t2", "t1", transfer("b", "a", "USD/2", 1)),
            posted("t1", transfer("a", "b", "USD/2", 1)),
        ],
        vec![forgotten("c-1"), registered("c-1", "{}")],
        vec![a_and_b[0].clone(), registered("c-1", "{}"), unlinked("c-1", "a"), linked("c-1", "a")],
    ];
    let expected = [1, 2, 2, 3, 1, 3, 1, 3];
    for (n, (events, expected)) in cases.into_iter().zip(expected).enumerate() {
        book.log = format!("case-{n}").parse().unwrap();
        let (at, reason) = book.stopped_by(&events).await;
        assert_eq!(at, Position(expected), "{events:?}: {reason}");
        book.clear().await;
    }
}

#[tokio::test]
async fn an_event_that_creates_something_twice_is_the_contradiction_not_the_event_before_it() {
    let frozen = AccountFrozen { account: account("a"), scope: FreezeScope::Both };
    let closed = PeriodClosed { through: "2026-01-31T00:00:00Z".parse().unwrap() };
    let cases = [
        (LedgerEvent::PeriodClosed(closed), created()),
        (LedgerEvent::AccountFrozen(frozen), opened("a", AccountKind::Asset)),
        (updated("c-1", "Eve"), registered("c-1", "{}")),
        (HOLD.captured("t2", 1, 99), HOLD.placed(1)),
    ];
    for (valid, bad) in cases {
        let book = Book::new().await;
        book.apply(before()).await;
        let (at, reason) = book.stopped_by([valid, bad]).await;
        assert_eq!(at.0, 11, "{reason}");
    }
}

#[tokio::test]
async fn an_event_from_a_newer_program_stops_the_log_with_that_reason() {
    let book = Book::new().await;
    book.append(&[created()]).await;
    let head = book.world.append(&book.log, vec![("account-merged", "{}".to_owned(), Vec::new())]).await;
    let engine = book.world.engine(LedgerProjection).await;
    assert_eq!(engine.catch_up(&book.log, head).await.unwrap(), FeedOutcome::Stopped);
    assert!(engine.status().report().stopped[0].1.reason.contains("newer program"));
    assert_eq!(book.rows("select ledger from read.ledgers").await, ["main"]);
}
