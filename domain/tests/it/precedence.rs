//! The precedence of rejections: a row for each code, and a row for each two neighbours of the precedence that one
//! command can run into. Every row proves that nothing was changed, see [`Then::rejected`].
//!
//! [`Then::rejected`]: crate::support::Then::rejected

use std::collections::BTreeSet;

use recount_domain::{
    CaptureHold, Command, Comparison, Expectation, Figure, METADATA_BYTES_MAX, OpenAccount, PlaceHold,
    PostTransaction, RejectionCode, Request, ReverseTransaction, ReversedPart,
};
use recount_events::ledger::{AccountKind, Entry, FreezeScope, Overdraft};
use serde_json::json;

use crate::support::*;

/// A book in which everything that can be in a command's way is in its way.
fn book() -> Book {
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

fn charted() -> Book {
    let wallets = recount_events::ledger::ChartRule {
        assets: vec!["USD/2".parse().unwrap()],
        ..rule("wallets:*", AccountKind::Liability)
    };
    book().and(set_chart(&[wallets]))
}

const EARLY: &str = "2025-10-02T23:59:59Z";
const CLOSED: &str = "2025-11-15T00:00:00Z";
const LATE: &str = "2026-01-03T00:00:00Z";

fn expectation(request: impl Into<Request>, account: &str, asset: &str) -> Request {
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

fn unmet(request: impl Into<Request>) -> Request {
    expectation(request, "alice", "USD/2")
}

fn unmet_of_nobody(request: impl Into<Request>) -> Request {
    expectation(request, "nobody", "USD/2")
}

fn unmet_in_pounds(request: impl Into<Request>) -> Request {
    expectation(request, "alice", "GBP/2")
}

fn posted(entries: Vec<Entry>, effective_at: &str) -> Request {
    let effective_at = Some(moment(effective_at));
    Command::PostTransaction(PostTransaction { effective_at, ..posting("new", entries) }).into()
}

fn new(entries: Vec<Entry>) -> Request {
    post("new", entries).into()
}

fn moved(debit: &str, credit: &str, asset: &str) -> Vec<Entry> {
    transfer(debit, credit, asset, 1)
}

/// The same, with a reference that is taken.
fn referring(mut request: Request) -> Request {
    let taken = || Some("taken".parse().unwrap());
    match &mut request.command {
        Command::PostTransaction(post) => post.reference = taken(),
        Command::ReverseTransaction(reverse) => reverse.reference = taken(),
        Command::Capture(capture) => capture.reference = taken(),
        other => panic!("{other:?}"),
    }
    request
}

fn opening_of(account: &str, kind: Option<AccountKind>, assets: &[&str]) -> Request {
    let assets = assets.iter().map(|asset| asset.parse().unwrap()).collect();
    Command::OpenAccount(OpenAccount { kind, assets, ..opening(account) }).into()
}

fn held(hold: PlaceHold) -> Request {
    Command::Hold(hold).into()
}

fn captured(hold: &str, amount: Option<i128>) -> Request {
    let amount = amount.map(crate::support::amount);
    Command::Capture(CaptureHold { amount, ..capturing(hold, "new") }).into()
}

fn reversed(transaction: &str, part: ReversedPart) -> Request {
    Command::ReverseTransaction(ReverseTransaction { ..reversing(transaction, "new", part) }).into()
}

fn by_amount(minor_units: i128) -> ReversedPart {
    ReversedPart::Amount(amount(minor_units))
}

fn too_large() -> Request {
    set_metadata(of_account("alice"), json!({"a": "x".repeat(METADATA_BYTES_MAX)})).into()
}

/// A command with this one fault.
struct Alone(&'static str, Book, Request);

/// What the rows say, in the order of precedence.
const SENTENCES: &[&str] = &[
    "the ledger has not been created",
    "account `bank` exists already, with another kind",
    "customer `known` exists already, with another profile",
    "hold `open` exists already, with another amount",
    "transaction `paid` exists already, with another list of entries",
    "customer `nobody` does not exist in this ledger",
    "customer `forgotten` was forgotten",
    "transaction `nothing` does not exist in this ledger",
    "transaction `many-reversed` was reversed already, at last by `reversal`",
    "transaction `many` has 3 entries, so an amount does not say which to take back",
    "the reversal has a debit of 51 USD/2 on `alice`, and of transaction `paid` 50 can still be taken back so",
    "hold `nothing` does not exist in this ledger",
    "hold `due` expired at 2026-01-01T12:30:00Z",
    "hold `used` is closed: it was captured",
    "hold `open` has not reached its deadline",
    "hold `open` has 10 left, which is less than 11",
    "hold `new` would expire at 2026-01-01T13:00:00Z, and now it is 2026-01-01T13:00:00Z",
    "reference `taken` belongs to transaction `referred`",
    "a transaction has from 2 to 1000 entries; this one has 0",
    "the debits in USD/2 are 2 and the credits 1; they must be equal in every asset",
    "2025-10-02T23:59:59Z is too early: this ledger takes effective times from 2025-10-03T00:00:00Z on",
    "2026-01-03T00:00:00Z is too late: this ledger takes effective times before 2026-01-03T00:00:00Z",
    "2025-11-15T00:00:00Z lies in a closed period: the books are closed through 2025-12-01T00:00:00Z",
    "a period through 2026-01-01T13:00:00Z is not over: now it is 2026-01-01T13:00:00Z",
    "asset `GBP/2` is not registered in this ledger",
    "the ledger counts `USD` as `USD/2`, not as `USD/3`",
    "the chart has no rule that allows an account `cash`",
    "the chart's rule `wallets:*` makes `wallets:al` an account of kind liability, not asset",
    "nothing says of which kind account `cash` shall be",
    "account `nobody` does not exist in this ledger",
    "account `closed` is closed",
    "account `frozen` is frozen for credits",
    "account `dollars` may not hold EUR/2",
    "account `bob` is not empty: its balance in USD/2 is 2",
    "holds are open on account `dollars`: in USD/2 0 is held and 1 is incoming",
    "the metadata of account:alice would take 8200 bytes of JSON, and may take 8192",
    "the sums of account `vast` in USD/2 would go beyond what can be counted",
    "account `alice` would have -969 available in USD/2; it has 31, and may go down to 0",
    "account `full` would come to 6 in USD/2, with what is incoming; it may come to 5",
    "the posted balance of account `alice` in USD/2 is 51, and was expected to be equal to 12345",
];

/// A command with these two faults, and one that has only the second of them.
struct Pair(&'static str, &'static str, Book, Request, Book, Request);

impl Pair {
    /// Both commands are sent to the same book.
    fn of(first: &'static str, second: &'static str, book: Book, both: Request, only: Request) -> Pair {
        Pair(first, second, book.clone(), both, book, only)
    }
}

fn alone_of_entities() -> Vec<Alone> {
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

fn alone_of_rules() -> Vec<Alone> {
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
fn with_incoming() -> Book {
    book().and(hold("incoming", "bank", "dollars", 1))
}

/// Pairs of faults with the entities that a command names.
fn pairs_of_entities() -> Vec<Pair> {
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
fn pairs_of_corrections_and_holds() -> Vec<Pair> {
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

/// Pairs of faults of what is to be posted, and of when.
fn pairs_of_content() -> Vec<Pair> {
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
fn pairs_of_accounts() -> Vec<Pair> {
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

/// Pairs of faults of what is done to accounts, and of expectations.
fn pairs_of_changes() -> Vec<Pair> {
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

/// The neighbours of the precedence that no command runs into together, and why.
const APART: &[(&str, &str, &str)] = &[
    ("ledger-unknown", "account-conflict", "in a ledger that was not created there is no account"),
    ("account-conflict", "customer-conflict", "no command opens an account and registers a customer"),
    ("customer-conflict", "hold-conflict", "no command registers a customer and places a hold"),
    ("hold-conflict", "transaction-conflict", "placing a hold posts no transaction"),
    ("transaction-conflict", "customer-unknown", "what posts a transaction names no customer"),
    (
        "customer-unknown",
        "customer-forgotten",
        "who was forgotten was known, and a command names one customer",
    ),
    ("customer-forgotten", "transaction-unknown", "what names a customer names no transaction"),
    ("transaction-unknown", "transaction-already-reversed", "what is not there was not reversed"),
    (
        "reversal-ambiguous",
        "reversal-exceeded",
        "an amount that does not say what to take back is compared with nothing",
    ),
    ("reversal-exceeded", "hold-unknown", "a reversal names no hold"),
    ("hold-unknown", "hold-expired", "what is not there did not expire"),
    ("hold-expired", "hold-closed", "a hold ends once: it expired, or was used up or released before"),
    ("hold-not-due", "hold-exceeded", "an expiry has no amount"),
    ("hold-exceeded", "deadline-passed", "a capture sets no deadline"),
    ("deadline-passed", "reference-taken", "a hold has no reference"),
    (
        "effective-too-early",
        "effective-too-late",
        "the window contains now, so no time is outside both of its ends",
    ),
    (
        "effective-too-late",
        "period-closed",
        "the window ends after now, and only a period that is over is closed",
    ),
    ("period-closed", "period-not-over", "closing a period has no effective time"),
    ("account-not-in-chart", "kind-not-in-chart", "no rule, so no kind"),
    ("kind-not-in-chart", "kind-missing", "the kind was given"),
    ("asset-not-allowed", "account-not-empty", "closing an account names no asset"),
    ("account-has-holds", "metadata-too-large", "closing an account changes no metadata"),
    ("metadata-too-large", "balance-overflow", "changing metadata moves nothing"),
];

fn pairs() -> Vec<Pair> {
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

#[test]
fn every_code_has_a_command_that_gets_it_and_says_why() {
    let rows: Vec<Alone> = alone_of_entities().into_iter().chain(alone_of_rules()).collect();
    let seen: Vec<&str> = rows.iter().map(|row| row.0).collect();
    let all: Vec<&str> = RejectionCode::ALL.iter().map(|code| code.code).collect();
    assert_eq!(seen, all, "a row for each code, in the order of precedence");
    assert_eq!(seen.len(), SENTENCES.len());
    for (Alone(code, book, request), sentence) in rows.into_iter().zip(SENTENCES) {
        assert_eq!(book.when(request).rejected(code).to_string(), *sentence);
    }
}

#[test]
fn of_two_faults_the_first_in_the_precedence_is_named() {
    for Pair(first, second, book, both, book_of_second, only_second) in pairs() {
        book.when(both).rejected(first);
        book_of_second.when(only_second).rejected(second);
    }
}

#[test]
fn of_two_faults_with_one_code_the_first_is_named_and_the_commands_before_the_expectations() {
    let two = new([moved("bank", "nobody", "USD/2"), moved("bank", "no-one", "USD/2")].concat());
    assert_eq!(detail(&book().when(two).rejected("account-unknown"), "account"), "nobody");
    let both = expectation(new(moved("bank", "nobody", "USD/2")), "no-one", "USD/2");
    assert_eq!(detail(&book().when(both).rejected("account-unknown"), "account"), "nobody");
    let unmet = unmet(expectation(new(moved("bank", "bob", "USD/2")), "bob", "USD/2"));
    assert_eq!(detail(&book().when(unmet).rejected("expectation-failed"), "account"), "bob");
}

#[test]
fn the_pairs_are_all_that_there_can_be_of_neighbours() {
    let place = |code: &str| RejectionCode::ALL.iter().position(|other| other.code == code).unwrap();
    let rows: BTreeSet<(usize, usize)> = pairs().iter().map(|row| (place(row.0), place(row.1))).collect();
    assert!(rows.iter().all(|(first, second)| first < second));
    let apart: BTreeSet<(usize, usize)> =
        APART.iter().map(|(first, second, _)| (place(first), place(second))).collect();
    for second in 1..RejectionCode::ALL.len() {
        let neighbours = (second - 1, second);
        assert!(
            rows.contains(&neighbours) != apart.contains(&neighbours),
            "`{}` and `{}` have a row or a reason why not",
            RejectionCode::ALL[second - 1].code,
            RejectionCode::ALL[second].code
        );
    }
    assert!(apart.iter().all(|(first, second)| first + 1 == *second), "they are neighbours");
    // A code whose neighbour cannot come with it is told from the next that can.
    for (first, code) in RejectionCode::ALL.iter().enumerate().take(RejectionCode::ALL.len() - 1) {
        assert!(rows.iter().any(|row| row.0 == first), "`{}` comes before nothing", code.code);
    }
}

#[test]
fn codes_are_unique_and_say_what_to_do() {
    let codes: BTreeSet<&str> = RejectionCode::ALL.iter().map(|code| code.code).collect();
    assert_eq!(codes.len(), RejectionCode::ALL.len());
    for code in RejectionCode::ALL {
        assert!(code.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", code.code);
        assert!(code.advice.ends_with('.') && code.meaning.trim().ends_with('.'), "{}", code.code);
    }
}

/// A caller whose command collides with what is there is told from one whose command breaks a rule.
#[test]
fn a_conflict_is_with_something_that_is_there() {
    let conflicts: Vec<&str> =
        RejectionCode::ALL.iter().filter(|code| code.conflict).map(|code| code.code).collect();
    assert_eq!(
        conflicts,
        [
            "account-conflict",
            "customer-conflict",
            "hold-conflict",
            "transaction-conflict",
            "transaction-already-reversed",
            "hold-expired",
            "hold-closed",
            "reference-taken",
            "asset-scale-differs",
            "expectation-failed",
        ]
    );
}

#[test]
fn nothing_can_be_asked_of_a_ledger_that_was_not_created() {
    for command in [
        register_asset("USD/2"),
        set_window(None, None),
        close_period("2025-01-01T00:00:00Z"),
        reopen_period("2025-01-01T00:00:00Z"),
        set_chart(&[]),
        Command::RemoveChart,
        open("bank", AccountKind::Asset),
        freeze("bank", FreezeScope::Both),
        unfreeze("bank", FreezeScope::Both),
        close("bank"),
        set_overdraft("bank", Overdraft::None),
        set_limits("bank", &[]),
        pay("t1", "bank", "alice", 1),
        reverse("t1", "r1"),
        hold("h1", "bank", "alice", 1),
        capture("h1", "c1"),
        release("h1"),
        expire("h1"),
        set_metadata(of_account("bank"), json!({})),
        remove_metadata(of_account("bank"), &[]),
        register("c1", "Alice"),
        update("c1", "Alice"),
        link("c1", "bank"),
        unlink("c1", "bank"),
        forget("c1"),
    ] {
        Book::nowhere().when(command).rejected("ledger-unknown");
    }
}
