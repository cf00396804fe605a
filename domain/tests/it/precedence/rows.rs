//! The rows: commands with one fault, commands with two, and the faults that never occur together.

use super::*;

pub(super) fn alone_of_entities() -> Vec<Alone> {
    let alone = |code, request: Request| Alone(code, book(), request);
    vec![
        Alone("ledger-unknown", Book::nowhere(), new(moved("bank", "alice", "USD/2"))),
        alone("account-conflict", open("bank", AccountKind::Expense).into()),
        alone("customer-conflict", register("known", "Bob").into()),
        alone("hold-conflict", hold("open", "alice", "shop", 11).into()),
        alone("transaction-conflict", pay("paid", "bank", "alice", 51).into()),
        alone("customer-unknown", forget("nobody").into()),
        alone("customer-forgotten", update("forgotten", "Bob").into()),
        alone("transaction-unknown", reversed("nothing", ReversedPart::Whole)),
        alone("transaction-already-reversed", reversed("many-reversed", ReversedPart::Whole)),
        alone("reversal-ambiguous", reversed("many", by_amount(1))),
        alone("reversal-exceeded", reversed("paid", by_amount(51))),
        alone("hold-unknown", captured("nothing", None)),
        alone("hold-expired", captured("due", None)),
        alone("hold-closed", captured("used", None)),
        alone("hold-not-due", expire("open").into()),
        alone("hold-exceeded", captured("open", Some(11))),
        alone("deadline-passed", hold_until("new", 1, "2026-01-01T13:00:00Z").into()),
    ]
}

pub(super) fn alone_of_rules() -> Vec<Alone> {
    let alone = |code, request: Request| Alone(code, book(), request);
    vec![
        alone("reference-taken", refer("new", "taken").into()),
        alone("entries-out-of-bounds", new(vec![])),
        alone("unbalanced", new(vec![debit("bank", 2), credit("alice", 1)])),
        alone("effective-too-early", posted(moved("bank", "alice", "USD/2"), EARLY)),
        alone("effective-too-late", posted(moved("bank", "alice", "USD/2"), LATE)),
        alone("period-closed", posted(moved("bank", "alice", "USD/2"), CLOSED)),
        alone("period-not-over", close_period("2026-01-01T13:00:00Z").into()),
        alone("asset-unknown", new(moved("bank", "alice", "GBP/2"))),
        alone("asset-scale-differs", new(moved("bank", "alice", "USD/3"))),
        Alone("account-not-in-chart", charted(), opening_of("cash", Some(AccountKind::Asset), &[])),
        Alone("kind-not-in-chart", charted(), opening_of("wallets:al", Some(AccountKind::Asset), &[])),
        alone("kind-missing", opening_of("cash", None, &[])),
        alone("account-unknown", new(moved("bank", "nobody", "USD/2"))),
        alone("account-closed", new(moved("bank", "closed", "USD/2"))),
        alone("account-frozen", new(moved("bank", "frozen", "USD/2"))),
        alone("asset-not-allowed", new(moved("bank", "dollars", "EUR/2"))),
        alone("account-not-empty", close("bob").into()),
        Alone("account-has-holds", with_incoming(), close("dollars").into()),
        alone("metadata-too-large", too_large()),
        alone("balance-overflow", new(moved("vast", "alice", "USD/2"))),
        alone("insufficient-funds", new(transfer("alice", "bank", "USD/2", 1_000))),
        alone("maximum-exceeded", new(transfer("bank", "full", "USD/2", 6))),
        alone("expectation-failed", unmet(new(moved("bank", "alice", "USD/2")))),
    ]
}

/// The dollars account has nothing, and something is incoming.
pub(super) fn with_incoming() -> Book {
    book().and(hold("incoming", "bank", "dollars", 1))
}

/// Pairs of faults with the entities that a command names.
pub(super) fn pairs_of_entities() -> Vec<Pair> {
    let pair = |first, second, both: Request, only: Request| Pair::of(first, second, book(), both, only);
    vec![
        Pair(
            "ledger-unknown",
            "asset-unknown",
            Book::nowhere(),
            new(moved("bank", "alice", "GBP/2")),
            book(),
            new(moved("bank", "alice", "GBP/2")),
        ),
        pair(
            "account-conflict",
            "asset-unknown",
            opening_of("bank", None, &["GBP/2"]),
            opening_of("cash", None, &["GBP/2"]),
        ),
        pair(
            "customer-conflict",
            "account-unknown",
            unmet_of_nobody(register("known", "Bob")),
            unmet_of_nobody(register("new", "Bob")),
        ),
        pair(
            "hold-conflict",
            "deadline-passed",
            hold_until("open", 10, "2020-01-01T00:00:00Z").into(),
            hold_until("new", 10, "2020-01-01T00:00:00Z").into(),
        ),
        pair(
            "transaction-conflict",
            "transaction-unknown",
            reverse("nothing", "paid").into(),
            reverse("nothing", "new").into(),
        ),
        pair(
            "transaction-conflict",
            "reversal-ambiguous",
            reverse_amount("many", "reversal", 1).into(),
            reverse_amount("many", "new", 1).into(),
        ),
        pair(
            "transaction-conflict",
            "hold-unknown",
            capture("nothing", "paid").into(),
            capture("nothing", "new").into(),
        ),
        pair(
            "transaction-conflict",
            "reference-taken",
            refer("paid", "taken").into(),
            refer("new", "taken").into(),
        ),
        pair(
            "customer-unknown",
            "account-unknown",
            link("nobody", "nobody").into(),
            link("known", "nobody").into(),
        ),
        pair(
            "customer-forgotten",
            "account-unknown",
            link("forgotten", "nobody").into(),
            link("known", "nobody").into(),
        ),
    ]
}

/// Pairs of faults of reversals and holds.
pub(super) fn pairs_of_corrections_and_holds() -> Vec<Pair> {
    let pair = |first, second, both: Request, only: Request| Pair::of(first, second, book(), both, only);
    let refers = |first, request: Request| {
        let only = referring(reversed("paid", by_amount(1)));
        Pair::of(first, "reference-taken", book(), referring(request), only)
    };
    vec![
        refers("transaction-unknown", reversed("nothing", ReversedPart::Whole)),
        pair(
            "transaction-already-reversed",
            "reversal-ambiguous",
            reversed("many-reversed", by_amount(1)),
            reversed("many", by_amount(1)),
        ),
        pair(
            "transaction-already-reversed",
            "reversal-exceeded",
            reversed("many-reversed", ReversedPart::Entries(moved("shop", "bank", "USD/2"))),
            reversed("many", ReversedPart::Entries(moved("shop", "bank", "USD/2"))),
        ),
        refers("reversal-ambiguous", reversed("many", by_amount(1))),
        refers("reversal-exceeded", reversed("paid", by_amount(51))),
        refers("hold-unknown", captured("nothing", None)),
        pair("hold-expired", "hold-exceeded", captured("due", Some(11)), captured("open", Some(11))),
        pair("hold-closed", "hold-not-due", expire("used").into(), expire("open").into()),
        refers("hold-closed", captured("used", None)),
        pair(
            "hold-not-due",
            "asset-unknown",
            unmet_in_pounds(expire("open")),
            unmet_in_pounds(expire("due")),
        ),
        refers("hold-exceeded", captured("open", Some(11))),
        pair(
            "deadline-passed",
            "asset-unknown",
            held(PlaceHold {
                asset: "GBP/2".parse().unwrap(),
                expires_at: Some(now()),
                ..placing("new", "alice", "shop", 1)
            }),
            held(PlaceHold { asset: "GBP/2".parse().unwrap(), ..placing("new", "alice", "shop", 1) }),
        ),
    ]
}

/// Pairs of faults of entries and effective times.
pub(super) fn pairs_of_content() -> Vec<Pair> {
    let pair = |first, second, both: Request, only: Request| Pair::of(first, second, book(), both, only);
    let uneven = |asset: &str| {
        let mut entries = moved("bank", "alice", asset);
        entries.push(debit("bank", 1));
        entries
    };
    vec![
        pair("reference-taken", "entries-out-of-bounds", referring(new(vec![])), new(vec![])),
        pair("entries-out-of-bounds", "unbalanced", new(vec![debit("bank", 1)]), new(uneven("USD/2"))),
        pair(
            "unbalanced",
            "effective-too-early",
            posted(uneven("USD/2"), EARLY),
            posted(moved("bank", "alice", "USD/2"), EARLY),
        ),
        pair(
            "effective-too-early",
            "period-closed",
            posted(moved("bank", "alice", "USD/2"), EARLY),
            posted(moved("bank", "alice", "USD/2"), CLOSED),
        ),
        pair(
            "effective-too-late",
            "asset-unknown",
            posted(moved("bank", "alice", "GBP/2"), LATE),
            new(moved("bank", "alice", "GBP/2")),
        ),
        pair(
            "period-closed",
            "asset-unknown",
            posted(moved("bank", "alice", "GBP/2"), CLOSED),
            new(moved("bank", "alice", "GBP/2")),
        ),
        pair(
            "period-not-over",
            "asset-unknown",
            unmet_in_pounds(close_period("2027-01-01T00:00:00Z")),
            unmet_in_pounds(close_period("2025-12-02T00:00:00Z")),
        ),
        pair(
            "asset-unknown",
            "asset-scale-differs",
            new([moved("bank", "alice", "USD/3"), moved("bank", "alice", "GBP/2")].concat()),
            new(moved("bank", "alice", "USD/3")),
        ),
        Pair::of(
            "asset-scale-differs",
            "account-not-in-chart",
            charted(),
            opening_of("cash", None, &["USD/3"]),
            opening_of("cash", None, &[]),
        ),
        Pair::of(
            "account-not-in-chart",
            "account-unknown",
            charted(),
            unmet_of_nobody(opening_of("cash", None, &[])),
            unmet_of_nobody(opening_of("wallets:al", None, &[])),
        ),
        Pair::of(
            "kind-not-in-chart",
            "asset-not-allowed",
            charted(),
            opening_of("wallets:al", Some(AccountKind::Asset), &["EUR/2"]),
            opening_of("wallets:al", None, &["EUR/2"]),
        ),
        pair(
            "kind-missing",
            "account-unknown",
            unmet_of_nobody(opening_of("cash", None, &[])),
            unmet_of_nobody(opening_of("cash", Some(AccountKind::Asset), &[])),
        ),
    ]
}

/// Pairs of faults of the accounts.
pub(super) fn pairs_of_accounts() -> Vec<Pair> {
    let pair = |first, second, both: Request, only: Request| Pair::of(first, second, book(), both, only);
    let full_and_poor =
        [transfer("bank", "full", "USD/2", 6), transfer("bob", "bank", "USD/2", 1_000)].concat();
    let vast_and_poor = [moved("vast", "bank", "USD/2"), transfer("bob", "bank", "USD/2", 1_000)].concat();
    vec![
        pair(
            "account-unknown",
            "account-closed",
            new(moved("closed", "nobody", "USD/2")),
            new(moved("closed", "alice", "USD/2")),
        ),
        pair(
            "account-closed",
            "account-frozen",
            new(moved("frozen", "closed", "USD/2")),
            new(moved("frozen", "alice", "USD/2")),
        ),
        pair(
            "account-frozen",
            "asset-not-allowed",
            new(moved("dollars", "frozen", "EUR/2")),
            new(moved("dollars", "alice", "EUR/2")),
        ),
        pair(
            "asset-not-allowed",
            "balance-overflow",
            new([moved("vast", "alice", "USD/2"), moved("bank", "dollars", "EUR/2")].concat()),
            new(moved("vast", "alice", "USD/2")),
        ),
        pair(
            "balance-overflow",
            "insufficient-funds",
            new(vast_and_poor),
            new(transfer("bob", "bank", "USD/2", 1_000)),
        ),
        pair(
            "insufficient-funds",
            "maximum-exceeded",
            new(full_and_poor),
            new(transfer("bank", "full", "USD/2", 6)),
        ),
        pair(
            "maximum-exceeded",
            "expectation-failed",
            unmet(new(transfer("bank", "full", "USD/2", 6))),
            unmet(new(transfer("bank", "full", "USD/2", 5))),
        ),
        pair(
            "account-unknown",
            "expectation-failed",
            unmet(unmet_of_nobody(new(moved("bank", "alice", "USD/2")))),
            unmet(new(moved("bank", "alice", "USD/2"))),
        ),
        pair(
            "account-unknown",
            "insufficient-funds",
            unmet_of_nobody(new(transfer("bob", "bank", "USD/2", 1_000))),
            new(transfer("bob", "bank", "USD/2", 1_000)),
        ),
    ]
}

/// Pairs of faults of changes to accounts, and of expectations.
pub(super) fn pairs_of_changes() -> Vec<Pair> {
    let pair = |first, second, both: Request, only: Request| Pair::of(first, second, book(), both, only);
    vec![
        Pair(
            "account-not-empty",
            "account-has-holds",
            book(),
            close("alice").into(),
            with_incoming(),
            close("dollars").into(),
        ),
        Pair(
            "account-has-holds",
            "expectation-failed",
            with_incoming(),
            unmet(close("dollars")),
            book(),
            unmet(close("dollars")),
        ),
        pair(
            "metadata-too-large",
            "expectation-failed",
            unmet(too_large()),
            unmet(set_metadata(of_account("alice"), json!({"a": 1}))),
        ),
    ]
}

/// Neighbouring codes that no command can get together, and why.
pub(super) const APART: &[(&str, &str, &str)] = &[
    ("ledger-unknown", "account-conflict", "a ledger that does not exist has no accounts"),
    ("account-conflict", "customer-conflict", "no command opens an account and registers a customer"),
    ("customer-conflict", "hold-conflict", "no command registers a customer and places a hold"),
    ("hold-conflict", "transaction-conflict", "placing a hold posts no transaction"),
    ("transaction-conflict", "customer-unknown", "a command that posts a transaction names no customer"),
    (
        "customer-unknown",
        "customer-forgotten",
        "a forgotten customer exists, and a command names one customer",
    ),
    ("customer-forgotten", "transaction-unknown", "a command on a customer names no transaction"),
    ("transaction-unknown", "transaction-already-reversed", "an unknown transaction was not reversed"),
    ("reversal-ambiguous", "reversal-exceeded", "an ambiguous amount is not compared with anything"),
    ("reversal-exceeded", "hold-unknown", "a reversal names no hold"),
    ("hold-unknown", "hold-expired", "an unknown hold did not expire"),
    ("hold-expired", "hold-closed", "a hold ends once: it expires, or is captured or released before"),
    ("hold-not-due", "hold-exceeded", "an expiry has no amount"),
    ("hold-exceeded", "deadline-passed", "a capture sets no deadline"),
    ("deadline-passed", "reference-taken", "a hold has no reference"),
    (
        "effective-too-early",
        "effective-too-late",
        "the window contains the current time, so no time is outside both of its ends",
    ),
    (
        "effective-too-late",
        "period-closed",
        "the window ends in the future, and closed periods are in the past",
    ),
    ("period-closed", "period-not-over", "closing a period has no effective time"),
    ("account-not-in-chart", "kind-not-in-chart", "without a rule there is no kind"),
    ("kind-not-in-chart", "kind-missing", "the kind was given"),
    ("asset-not-allowed", "account-not-empty", "closing an account names no asset"),
    ("account-has-holds", "metadata-too-large", "closing an account changes no metadata"),
    ("metadata-too-large", "balance-overflow", "changing metadata moves no value"),
];

pub(super) fn pairs() -> Vec<Pair> {
    [
        pairs_of_entities(),
        pairs_of_corrections_and_holds(),
        pairs_of_content(),
        pairs_of_accounts(),
        pairs_of_changes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
