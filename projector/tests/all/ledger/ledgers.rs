//! The settings of a ledger: effective window, periods, chart and assets.

use recount_events::ledger::{
    AssetRegistered, ChartRemoved, ChartRule, ChartSet, EffectiveWindow, EffectiveWindowSet, LedgerEvent,
    Overdraft, PeriodClosed, PeriodReopened,
};

use super::book::{Book, asset, created};

fn window(past_days: Option<u32>, future_days: Option<u32>) -> LedgerEvent {
    LedgerEvent::EffectiveWindowSet(EffectiveWindowSet { window: EffectiveWindow { past_days, future_days } })
}

fn closed(through: &str) -> LedgerEvent {
    LedgerEvent::PeriodClosed(PeriodClosed { through: through.parse().unwrap() })
}

fn reopened(from: &str) -> LedgerEvent {
    LedgerEvent::PeriodReopened(PeriodReopened { from: from.parse().unwrap() })
}

fn chart(pattern: &str) -> LedgerEvent {
    let rule = ChartRule {
        pattern: pattern.parse().unwrap(),
        kind: recount_events::ledger::AccountKind::Liability,
        overdraft: Overdraft::None,
        limits: Vec::new(),
        assets: vec![asset("USD/2")],
        opens_on_first_use: true,
    };
    LedgerEvent::ChartSet(ChartSet { rules: vec![rule] })
}

const SHOWN: &str = "select format('%s %s-%s %s %s', ledger, window_past_days, window_future_days,
                                   to_char(closed_through at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US'), chart)
                     from read.ledgers";

#[tokio::test]
async fn a_new_ledger_has_no_window_no_closed_period_and_no_chart() {
    let book = Book::new().await;
    book.apply([created()]).await;
    assert_eq!(book.rows(SHOWN).await, ["main -  "]);
    assert_eq!(
        book.rows("select format('%s %s', created_position, log) from read.ledgers").await,
        [format!("1 {}", book.log.key().0)]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_ledger_shows_its_latest_window_closed_period_and_chart() {
    let book = Book::new().await;
    let rule = r#"[{"pattern":"users:*","kind":"liability","overdraft":"none","assets":["USD/2"],"opens_on_first_use":true}]"#;
    book.apply([
        created(),
        window(Some(30), Some(0)),
        closed("2026-01-31T23:59:59.999999Z"),
        chart("users:*"),
    ])
    .await;
    assert_eq!(book.rows(SHOWN).await, [format!("main 30-0 2026-01-31 23:59:59.999999 {rule}")]);
    book.apply([window(None, Some(4_294_967_295))]).await;
    assert_eq!(book.rows(SHOWN).await, [format!("main -4294967295 2026-01-31 23:59:59.999999 {rule}")]);
    book.apply([chart("banks:*"), LedgerEvent::ChartRemoved(ChartRemoved {}), window(None, None)]).await;
    assert_eq!(book.rows(SHOWN).await, ["main - 2026-01-31 23:59:59.999999 "]);
    let changed = book.rows("select changed_position::text from ledger_v2.ledgers").await;
    assert_eq!(changed, ["8"]);
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_reopened_period_stays_closed_up_to_the_microsecond_before() {
    let book = Book::new().await;
    book.apply([created(), closed("2026-03-31T23:59:59.999999Z")]).await;
    book.apply([reopened("2026-02-01T00:00:00Z")]).await;
    assert_eq!(book.rows(SHOWN).await, ["main - 2026-01-31 23:59:59.999999 "]);
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn an_asset_shows_its_code_and_scale() {
    let book = Book::new().await;
    book.apply([created(), LedgerEvent::AssetRegistered(AssetRegistered { asset: asset("USD/2") })]).await;
    assert_eq!(
        book.rows("select format('%s %s %s %s', code, asset, scale, registered_position) from read.assets")
            .await,
        ["USD USD/2 2 2"]
    );
    book.assert_same_event_by_event().await;
}
