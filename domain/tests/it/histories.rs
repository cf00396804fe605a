//! Random histories: requests that often succeed, often repeat each other and often exhaust balances, while time passes.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::select;
use recount_domain::{
    CaptureHold, Command, Comparison, Expectation, Figure, OpenAccount, PlaceHold, PostTransaction, Request,
    ReversalTime, ReverseTransaction, ReversedPart,
};
use recount_events::ledger::{
    AccountKind, Amount, BalanceLimit, ChartRule, Direction, EffectiveWindow, Entry, FreezeScope, Metadata,
    Overdraft,
};
use serde_json::json;

use crate::support::*;

/// A request, and the time that passes before it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) wait: TimeDelta,
    pub(crate) request: Request,
}

/// The initial book of every history.
pub(crate) fn beginning() -> Book {
    given(&[
        pay("start-1", "bank", "alice", 300),
        pay("start-2", "bank", "bob", 100),
        hold("h0", "alice", "shop", 50),
        register("c1", "Alice"),
    ])
}

/// Whether the command has an id, so that a later retry must have no effect.
pub(crate) fn carries_an_id(command: &Command) -> bool {
    matches!(
        command,
        Command::OpenAccount(_)
            | Command::PostTransaction(_)
            | Command::ReverseTransaction(_)
            | Command::Hold(_)
            | Command::Capture(_)
            | Command::Release { .. }
            | Command::Expire { .. }
            | Command::RegisterCustomer { .. }
            | Command::ForgetCustomer { .. }
    )
}

pub(crate) fn money_history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(money_command()), 1..60)
}

pub(crate) fn history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(prop_oneof![4 => money_command(), 1 => other_command()]), 1..60)
}

fn step(command: impl Strategy<Value = Command>) -> impl Strategy<Value = Step> {
    let expectations = prop_oneof![9 => Just(Vec::new()), 1 => expectation().prop_map(|one| vec![one])];
    let wait = prop_oneof![4 => Just(0_i64), 1 => 1..40_i64];
    (wait, command, expectations).prop_map(|(hours, command, expect)| Step {
        wait: TimeDelta::hours(hours),
        request: Request { command, expect },
    })
}

fn expectation() -> impl Strategy<Value = Expectation> {
    let figure = select(vec![Figure::Posted, Figure::Held, Figure::Incoming, Figure::Available]);
    let comparison = select(vec![Comparison::AtLeast, Comparison::AtMost, Comparison::Equal]);
    (account(), figure, comparison, -100..300_i128).prop_map(|(account, figure, comparison, amount)| {
        Expectation {
            account: account.parse().unwrap(),
            asset: "USD/2".parse().unwrap(),
            figure,
            comparison,
            amount,
        }
    })
}

/// Four existing accounts, two that a chart may open on first use, and one that it may not.
fn account() -> impl Strategy<Value = &'static str> {
    let likely = select(vec!["bank", "bank", "alice", "alice", "bob", "shop"]);
    prop_oneof![14 => likely, 1 => select(vec!["users:x", "users:y", "cash"])]
}

fn asset() -> impl Strategy<Value = &'static str> {
    prop_oneof![20 => Just("USD/2"), 4 => Just("EUR/2"), 1 => select(vec!["USD/3", "GBP/2"])]
}

fn some_amount() -> impl Strategy<Value = Amount> {
    let beyond = select(vec![i128::MAX, i128::MAX - 500]);
    prop_oneof![60 => 1..150_i128, 1 => beyond].prop_map(amount)
}

/// The id of an existing transaction, if there are any.
fn transaction_id() -> impl Strategy<Value = String> {
    prop_oneof![6 => (0..6_u8).prop_map(|n| format!("t{n}")), 1 => Just("start-1".to_owned())]
}

/// The id of a new transaction; sometimes it exists already.
fn new_transaction_id() -> impl Strategy<Value = String> {
    prop_oneof![1 => 0..6_u8, 1 => 6..100_u8].prop_map(|n| format!("t{n}"))
}

fn hold_id() -> impl Strategy<Value = String> {
    (0..4_u8).prop_map(|n| format!("h{n}"))
}

fn reference() -> impl Strategy<Value = Option<recount_events::ledger::Reference>> {
    let some = (0..4_u8).prop_map(|n| Some(format!("order {n}").parse().unwrap()));
    prop_oneof![6 => Just(None), 1 => some]
}

/// A time some days before or after the first of January.
fn time(days: std::ops::Range<i64>) -> impl Strategy<Value = DateTime<Utc>> {
    (days, 0..3_i64).prop_map(|(days, part)| now() + TimeDelta::days(days) + TimeDelta::hours(part * 6))
}

fn effective_at() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    prop_oneof![3 => Just(None), 1 => time(-20..20).prop_map(Some)]
}

fn money_command() -> BoxedStrategy<Command> {
    prop_oneof![
        9 => posting_command(),
        4 => reversal(),
        9 => placing_command(),
        9 => capturing_command(),
        2 => hold_id().prop_map(|hold| release(&hold)),
        4 => hold_id().prop_map(|hold| expire(&hold)),
        6 => account_command(),
        3 => ledger_command(),
    ]
    .boxed()
}

fn posting_command() -> impl Strategy<Value = Command> {
    let transfers = prop::collection::vec((account(), account(), asset(), some_amount()), 1..3);
    let odd = prop_oneof![
        15 => Just(None),
        1 => (account(), asset(), some_amount()).prop_map(Some),
    ];
    (new_transaction_id(), transfers, odd, effective_at(), reference()).prop_map(
        |(id, transfers, odd, effective_at, reference)| {
            let entries = transfers.into_iter().flat_map(|(debit, credit, asset, amount)| {
                transfer(debit, credit, asset, amount.minor_units())
            });
            let odd = odd.map(|(account, asset, amount)| {
                entry(account, Direction::Debit, asset, amount.minor_units())
            });
            let entries = entries.chain(odd).collect();
            Command::PostTransaction(PostTransaction { effective_at, reference, ..posting(&id, entries) })
        },
    )
}

fn reversal() -> impl Strategy<Value = Command> {
    let entries = prop::collection::vec((account(), account(), 1..60_i128), 0..3);
    let entries = entries.prop_map(|transfers| -> Vec<Entry> {
        let entries = transfers.into_iter();
        entries.flat_map(|(debit, credit, amount)| transfer(debit, credit, "USD/2", amount)).collect()
    });
    let part = prop_oneof![
        2 => Just(ReversedPart::Whole),
        3 => (1..80_i128).prop_map(|minor_units| ReversedPart::Amount(amount(minor_units))),
        1 => entries.prop_map(ReversedPart::Entries),
    ];
    let time = prop_oneof![
        3 => Just(ReversalTime::Now),
        1 => Just(ReversalTime::Original),
        1 => time(-20..20).prop_map(ReversalTime::At),
    ];
    (transaction_id(), new_transaction_id(), part, time, reference()).prop_map(
        |(transaction, reversal, part, effective_at, reference)| {
            let reverse = reversing(&transaction, &reversal, part);
            Command::ReverseTransaction(ReverseTransaction { effective_at, reference, ..reverse })
        },
    )
}

fn placing_command() -> impl Strategy<Value = Command> {
    let deadline = prop_oneof![2 => Just(None), 1 => time(0..6).prop_map(Some)];
    (hold_id(), account(), account(), asset(), some_amount(), deadline).prop_map(
        |(hold, debit, credit, asset, amount, expires_at)| {
            let place = placing(&hold, debit, credit, 1);
            Command::Hold(PlaceHold { asset: asset.parse().unwrap(), amount, expires_at, ..place })
        },
    )
}

fn capturing_command() -> impl Strategy<Value = Command> {
    let part = prop_oneof![1 => Just(None), 3 => (1..60_i128).prop_map(|part| Some(amount(part)))];
    (hold_id(), new_transaction_id(), part, any::<bool>(), effective_at(), reference()).prop_map(
        |(hold, transaction, amount, is_final, effective_at, reference)| {
            let capture = capturing(&hold, &transaction);
            Command::Capture(CaptureHold { amount, is_final, effective_at, reference, ..capture })
        },
    )
}

fn overdraft() -> impl Strategy<Value = Overdraft> {
    prop_oneof![
        Just(Overdraft::None),
        (1..300_i128).prop_map(|limit| limited("USD/2", limit)),
        Just(Overdraft::Unlimited),
    ]
}

fn limits() -> impl Strategy<Value = Vec<BalanceLimit>> {
    let one = (select(vec!["USD/2", "EUR/2"]), prop::option::of(1..100_i128), prop::option::of(50..500_i128));
    let one = one.prop_map(|(asset, minimum, maximum)| vec![limit(asset, minimum, maximum)]);
    prop_oneof![Just(Vec::new()), one]
}

fn account_command() -> impl Strategy<Value = Command> {
    let scope = || select(vec![FreezeScope::Debits, FreezeScope::Credits, FreezeScope::Both]);
    let kind = prop::option::of(select(vec![AccountKind::Liability, AccountKind::Asset]));
    let assets = prop::option::weighted(0.2, select(vec!["USD/2", "EUR/2"]));
    let opened = select(vec!["users:x", "users:y", "cash", "alice"]);
    let open = (opened, kind, prop::option::of(overdraft()), prop::option::of(limits()), assets);
    prop_oneof![
        1 => (account(), scope()).prop_map(|(account, scope)| freeze(account, scope)),
        4 => (account(), scope()).prop_map(|(account, scope)| unfreeze(account, scope)),
        2 => select(vec!["alice", "shop", "shop", "cash"]).prop_map(close),
        2 => (account(), overdraft()).prop_map(|(account, overdraft)| set_overdraft(account, overdraft)),
        2 => (account(), limits()).prop_map(|(account, limits)| set_limits(account, &limits)),
        2 => open.prop_map(|(account, kind, overdraft, limits, assets)| {
            let assets = assets.map(|asset| asset.parse().unwrap()).into_iter().collect();
            Command::OpenAccount(OpenAccount { kind, overdraft, limits, assets, ..opening(account) })
        }),
    ]
}

fn ledger_command() -> impl Strategy<Value = Command> {
    let dollars = ChartRule {
        overdraft: limited("USD/2", 40),
        limits: vec![limit("USD/2", None, Some(200))],
        assets: vec!["USD/2".parse().unwrap()],
        ..opening_rule("users:x", AccountKind::Liability)
    };
    let charts = vec![
        vec![dollars.clone(), opening_rule("users:**", AccountKind::Asset)],
        vec![dollars, rule("users:*", AccountKind::Liability), rule("cash", AccountKind::Asset)],
    ];
    let days = || prop::option::of(0..6_u32);
    let window =
        (days(), days()).prop_map(|(past_days, future_days)| EffectiveWindow { past_days, future_days });
    prop_oneof![
        2 => window.prop_map(|window| Command::SetEffectiveWindow { window }),
        2 => time(-25..6).prop_map(|through| Command::ClosePeriod { through }),
        2 => time(-25..2).prop_map(|from| Command::ReopenPeriod { from }),
        4 => select(charts).prop_map(|rules| Command::SetChart { rules }),
        1 => Just(Command::RemoveChart),
    ]
}

/// Commands that neither move value nor change limits.
fn other_command() -> impl Strategy<Value = Command> {
    let owner = || {
        select(vec![of_account("alice"), of_account("cash"), of_transaction("start-1"), of_transaction("t0")])
    };
    let members =
        select(vec![json!({"a": 1}), json!({"a": 0.1, "b": null}), json!({"b": "ü\n\"", "c": [{}]})]);
    let customer = || select(vec!["c1", "c2"]);
    let name = || select(vec!["Alice", "Bob"]);
    prop_oneof![
        (owner(), members).prop_map(|(of, members)| set_metadata(of, members)),
        (owner(), select(vec!["a", "b"])).prop_map(|(of, key)| remove_metadata(of, &[key])),
        (customer(), name()).prop_map(|(customer, name)| register(customer, name)),
        (customer(), name()).prop_map(|(customer, name)| Command::UpdateCustomer {
            customer: customer.parse().unwrap(),
            profile: profile(name),
            metadata: Metadata::new(),
        }),
        (customer(), account()).prop_map(|(customer, account)| link(customer, account)),
        (customer(), account()).prop_map(|(customer, account)| unlink(customer, account)),
        customer().prop_map(forget),
        select(vec!["GBP/2", "USD/2", "USD/3"]).prop_map(register_asset),
    ]
}
