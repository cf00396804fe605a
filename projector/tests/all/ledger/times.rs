//! Business times at the ends of the range that events allow, which is wider than that of Postgres.

use recount_events::ledger::{
    AccountKind, HoldPlaced, LedgerEvent, Metadata, PeriodClosed, PeriodReopened, TransactionPosted,
};

use super::book::{Book, account, amount, asset, created, hold_id, opened, transaction, transfer};

const BEFORE_POSTGRES: &str = "-99999-01-01T00:00:00Z";
const FIRST_OF_POSTGRES: &str = "4713-01-01 00:00:00 BC";
const LATE: &str = "+262142-12-31T23:59:59.999999Z";

fn posted_at(id: &str, effective_at: &str) -> LedgerEvent {
    LedgerEvent::TransactionPosted(TransactionPosted {
        effective_at: effective_at.parse().unwrap(),
        ..transaction(id, transfer("a", "b", "USD/2", 5))
    })
}

fn held_until(id: &str, expires_at: &str) -> LedgerEvent {
    LedgerEvent::HoldPlaced(HoldPlaced {
        hold: hold_id(id),
        debit: account("a"),
        credit: account("b"),
        asset: asset("USD/2"),
        amount: amount(1),
        expires_at: Some(expires_at.parse().unwrap()),
        metadata: Metadata::new(),
    })
}

fn closed(through: &str) -> LedgerEvent {
    LedgerEvent::PeriodClosed(PeriodClosed { through: through.parse().unwrap() })
}

#[tokio::test]
async fn a_time_too_early_for_postgres_is_stored_as_the_earliest_possible_time() {
    let book = Book::new().await;
    book.apply([created(), opened("a", AccountKind::Asset), opened("b", AccountKind::Income)]).await;
    for (n, time) in [BEFORE_POSTGRES, "-4712-01-01T00:00:00Z", LATE].into_iter().enumerate() {
        book.apply([posted_at(&format!("at-{n}"), time), held_until(&format!("until-{n}"), time)]).await;
    }
    let expected = [FIRST_OF_POSTGRES, FIRST_OF_POSTGRES, "262142-12-31 23:59:59.999999"];
    for sql in [
        "select (effective_at at time zone 'utc')::text from read.transactions order by position",
        "select (effective_at at time zone 'utc')::text from read.entries where line = 0 order by position",
        "select (expires_at at time zone 'utc')::text from read.holds order by placed_position",
    ] {
        assert_eq!(book.rows(sql).await, expected, "{sql}");
    }
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_period_end_too_early_for_postgres_is_stored_as_the_earliest_possible_time() {
    let book = Book::new().await;
    let reopened = |from: &str| LedgerEvent::PeriodReopened(PeriodReopened { from: from.parse().unwrap() });
    let closed_through = "select (closed_through at time zone 'utc')::text from read.ledgers";
    book.apply([created(), closed(BEFORE_POSTGRES)]).await;
    assert_eq!(book.rows(closed_through).await, [FIRST_OF_POSTGRES]);
    book.apply([closed(LATE)]).await;
    assert_eq!(book.rows(closed_through).await, ["262142-12-31 23:59:59.999999"]);
    book.apply([reopened(BEFORE_POSTGRES)]).await;
    assert_eq!(book.rows(closed_through).await, [FIRST_OF_POSTGRES]);
    book.assert_same_event_by_event().await;
}
