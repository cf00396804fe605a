//! The book of the rows, and constructors for their commands.

use super::*;

/// A book that has a reason for every rejection.
pub(super) fn book() -> Book {
    let dollars = OpenAccount {
        kind: Some(AccountKind::Liability),
        assets: vec!["USD/2".parse().unwrap()],
        ..opening("dollars")
    };
    let many = || vec![debit("bank", 3), credit("alice", 1), credit("bob", 2)];
    given(&[
        refer("referred", "taken"),
        pay("paid", "bank", "alice", 50),
        post("many", many()),
        post("many-reversed", many()),
        reverse("many-reversed", "reversal"),
        open("closed", AccountKind::Liability),
        close("closed"),
        open("frozen", AccountKind::Liability),
        freeze("frozen", FreezeScope::Both),
        Command::OpenAccount(dollars),
        open("full", AccountKind::Liability),
        set_limits("full", &[limit("USD/2", None, Some(5))]),
        open("vast", AccountKind::Asset),
        open_with("abyss", AccountKind::Equity, Overdraft::Unlimited),
        pay("vast", "vast", "abyss", i128::MAX),
        hold("open", "alice", "shop", 10),
        hold_until("used", 1, "2026-06-01T00:00:00Z"),
        capture("used", "capture"),
        hold_until("due", 10, "2026-01-01T12:30:00Z"),
        register("known", "Alice"),
        register("forgotten", "Bob"),
        forget("forgotten"),
        set_window(Some(90), Some(1)),
        close_period("2025-12-01T00:00:00Z"),
    ])
    .at("2026-01-01T13:00:00Z")
}

pub(super) fn charted() -> Book {
    let wallets = recount_events::ledger::ChartRule {
        assets: vec!["USD/2".parse().unwrap()],
        ..rule("wallets:*", AccountKind::Liability)
    };
    book().and(set_chart(&[wallets]))
}

pub(super) const EARLY: &str = "2025-10-02T23:59:59Z";
pub(super) const CLOSED: &str = "2025-11-15T00:00:00Z";
pub(super) const LATE: &str = "2026-01-03T00:00:00Z";

pub(super) fn expectation(request: impl Into<Request>, account: &str, asset: &str) -> Request {
    with(request.into(), |request| {
        request.expect.push(Expectation {
            account: account.parse().unwrap(),
            asset: asset.parse().unwrap(),
            figure: Figure::Posted,
            comparison: Comparison::Equal,
            amount: 12_345,
        });
    })
}

pub(super) fn unmet(request: impl Into<Request>) -> Request {
    expectation(request, "alice", "USD/2")
}

pub(super) fn unmet_of_nobody(request: impl Into<Request>) -> Request {
    expectation(request, "nobody", "USD/2")
}

pub(super) fn unmet_in_pounds(request: impl Into<Request>) -> Request {
    expectation(request, "alice", "GBP/2")
}

pub(super) fn posted(entries: Vec<Entry>, effective_at: &str) -> Request {
    let effective_at = Some(moment(effective_at));
    Command::PostTransaction(PostTransaction { effective_at, ..posting("new", entries) }).into()
}

pub(super) fn new(entries: Vec<Entry>) -> Request {
    post("new", entries).into()
}

pub(super) fn moved(debit: &str, credit: &str, asset: &str) -> Vec<Entry> {
    transfer(debit, credit, asset, 1)
}

/// The request with a reference that is already in use.
pub(super) fn referring(mut request: Request) -> Request {
    let taken = || Some("taken".parse().unwrap());
    match &mut request.command {
        Command::PostTransaction(post) => post.reference = taken(),
        Command::ReverseTransaction(reverse) => reverse.reference = taken(),
        Command::Capture(capture) => capture.reference = taken(),
        other => panic!("{other:?}"),
    }
    request
}

pub(super) fn opening_of(account: &str, kind: Option<AccountKind>, assets: &[&str]) -> Request {
    let assets = assets.iter().map(|asset| asset.parse().unwrap()).collect();
    Command::OpenAccount(OpenAccount { kind, assets, ..opening(account) }).into()
}

pub(super) fn held(hold: PlaceHold) -> Request {
    Command::Hold(hold).into()
}

pub(super) fn captured(hold: &str, amount: Option<i128>) -> Request {
    let amount = amount.map(crate::support::amount);
    Command::Capture(CaptureHold { amount, ..capturing(hold, "new") }).into()
}

pub(super) fn reversed(transaction: &str, part: ReversedPart) -> Request {
    Command::ReverseTransaction(ReverseTransaction { ..reversing(transaction, "new", part) }).into()
}

pub(super) fn by_amount(minor_units: i128) -> ReversedPart {
    ReversedPart::Amount(amount(minor_units))
}

pub(super) fn too_large() -> Request {
    set_metadata(of_account("alice"), json!({"a": "x".repeat(METADATA_BYTES_MAX)})).into()
}
