//! Accounts: kind, policies, state and the last event that concerns them.

use recount_events::ledger::{
    AccountClosed, AccountFrozen, AccountKind, AccountLinked, AccountOpened, AccountUnfrozen, BalanceLimit,
    BalanceLimitsSet, FreezeScope, LedgerEvent, MetadataSet, Overdraft, OverdraftLimit, OverdraftPolicySet,
};

use super::book::{
    Book, TestHold, account, account_opened, amount, asset, bound, created, customer, metadata, of_account,
    opened, posted, transfer,
};
use super::customers::registered;

fn limits(minimum: Option<i128>, maximum: Option<i128>) -> Vec<BalanceLimit> {
    let (minimum, maximum) = (minimum.map(bound), maximum.map(bound));
    vec![BalanceLimit { asset: asset("USD/2"), minimum, maximum }]
}

#[tokio::test]
async fn an_account_shows_its_overdraft_freezes_closing_and_last_position() {
    let book = Book::new().await;
    let limit = OverdraftLimit { asset: asset("USD/2"), amount: amount(500) };
    let freeze =
        |name: &str, scope| LedgerEvent::AccountFrozen(AccountFrozen { account: account(name), scope });
    book.apply([
        created(),
        opened("a", AccountKind::Asset),
        opened("b", AccountKind::Income),
        freeze("a", FreezeScope::Both),
    ])
    .await;
    let shown = "select format('%s %s %s %s%s%s %s %s', account, kind, overdraft, frozen_debits, frozen_credits, closed,
                 opened_position, position) from read.accounts order by account";
    assert_eq!(book.rows(shown).await, ["a asset \"none\" ttf 2 4", "b income \"none\" fff 3 3"]);
    book.apply([
        LedgerEvent::AccountUnfrozen(AccountUnfrozen { account: account("a"), scope: FreezeScope::Debits }),
        LedgerEvent::OverdraftPolicySet(OverdraftPolicySet {
            account: account("b"),
            overdraft: Overdraft::Limited(vec![limit]),
        }),
        posted("t1", transfer("a", "b", "USD/2", 5)),
        LedgerEvent::AccountClosed(AccountClosed { account: account("b") }),
    ])
    .await;
    assert_eq!(
        book.rows(shown).await,
        [
            "a asset \"none\" ftf 2 7",
            "b income {\"limited\":[{\"asset\":\"USD/2\",\"amount\":\"500\"}]} fft 3 8"
        ]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn an_account_shows_its_latest_limits_its_allowed_assets_and_whether_first_use_opened_it() {
    let book = Book::new().await;
    let opened_by_use = AccountOpened {
        limits: limits(None, Some(1_000)),
        assets: vec![asset("EUR/2"), asset("USD/2")],
        on_first_use: true,
        ..account_opened("a", AccountKind::Liability)
    };
    book.apply([LedgerEvent::AccountOpened(opened_by_use), opened("b", AccountKind::Asset)]).await;
    let shown = "select format('%s %s %s %s', account, limits, assets, on_first_use) from read.accounts order by account";
    assert_eq!(
        book.rows(shown).await,
        [r#"a [{"asset":"USD/2","maximum":"1000"}] ["EUR/2","USD/2"] t"#, "b [] [] f"]
    );
    let set = |name: &str, limits| {
        LedgerEvent::BalanceLimitsSet(BalanceLimitsSet { account: account(name), limits })
    };
    book.apply([
        set("a", Vec::new()),
        set("b", limits(Some(1), Some(2))),
        opened("c", AccountKind::Asset),
        set("c", limits(Some(7), None)),
    ])
    .await;
    assert_eq!(
        book.rows(shown).await,
        [
            r#"a [] ["EUR/2","USD/2"] t"#,
            r#"b [{"asset":"USD/2","minimum":"1","maximum":"2"}] [] f"#,
            r#"c [{"asset":"USD/2","minimum":"7"}] [] f"#,
        ]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn an_account_opened_by_a_version_1_event_has_no_limits_and_allows_any_asset() {
    let book = Book::new().await;
    let data = r#"{"account":"a","kind":"asset","overdraft":"unlimited","metadata":{"note":"first"}}"#;
    book.world.append(&book.log, vec![("account-opened", data.to_owned(), Vec::new())]).await;
    book.apply([opened("b", AccountKind::Asset)]).await;
    assert_eq!(
        book.rows(
            "select format('%s %s %s %s %s %s', account, overdraft, limits, assets, on_first_use, metadata)
                   from read.accounts order by account limit 1"
        )
        .await,
        [r#"a "unlimited" [] [] f {"note":"first"}"#]
    );
}

#[tokio::test]
async fn holds_metadata_and_links_move_the_position_of_an_account() {
    let book = Book::new().await;
    let hold = TestHold { id: "h1", debit: "a", credit: "b" };
    book.apply([
        opened("a", AccountKind::Asset),
        opened("b", AccountKind::Asset),
        opened("c", AccountKind::Asset),
        registered("c-1", "{}"),
        hold.placed(5),
        LedgerEvent::MetadataSet(MetadataSet { of: of_account("b"), metadata: metadata(r#"{"x":1}"#) }),
        LedgerEvent::AccountLinked(AccountLinked { customer: customer("c-1"), account: account("c") }),
    ])
    .await;
    let positions = "select format('%s %s', account, position) from read.accounts order by account";
    assert_eq!(book.rows(positions).await, ["a 5", "b 6", "c 7"]);
    book.apply([hold.released(5)]).await;
    assert_eq!(book.rows(positions).await, ["a 8", "b 8", "c 7"]);
    book.assert_same_event_by_event().await;
}
