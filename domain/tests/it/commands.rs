//! Short constructors for commands.

use chrono::{DateTime, Utc};
use recount_domain::{
    CaptureHold, Command, OpenAccount, PlaceHold, PostTransaction, ReversalTime, ReverseTransaction,
    ReversedPart,
};
use recount_events::ledger::{
    AccountKind, Amount, BalanceLimit, ChartRule, Direction, EffectiveWindow, Entry, FreezeScope,
    LimitAmount, Metadata, MetadataOwner, Overdraft, OverdraftLimit, Personal, Profile,
};

pub(crate) fn moment(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

pub(crate) fn amount(minor_units: i128) -> Amount {
    Amount::new(minor_units).unwrap()
}

/// The value with a change.
pub(crate) fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

/// Metadata of these members.
pub(crate) fn members(members: serde_json::Value) -> Metadata {
    match members {
        serde_json::Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

pub(crate) fn register_asset(asset: &str) -> Command {
    Command::RegisterAsset { asset: asset.parse().unwrap() }
}

/// An opening with only a name.
pub(crate) fn opening(account: &str) -> OpenAccount {
    OpenAccount {
        account: account.parse().unwrap(),
        kind: None,
        overdraft: None,
        limits: None,
        assets: Vec::new(),
        metadata: Metadata::new(),
    }
}

pub(crate) fn open(account: &str, kind: AccountKind) -> Command {
    Command::OpenAccount(OpenAccount { kind: Some(kind), ..opening(account) })
}

pub(crate) fn open_with(account: &str, kind: AccountKind, overdraft: Overdraft) -> Command {
    let overdraft = Some(overdraft);
    Command::OpenAccount(OpenAccount { kind: Some(kind), overdraft, ..opening(account) })
}

pub(crate) fn limited(asset: &str, minor_units: i128) -> Overdraft {
    Overdraft::Limited(vec![OverdraftLimit { asset: asset.parse().unwrap(), amount: amount(minor_units) }])
}

pub(crate) fn limit(asset: &str, minimum: Option<i128>, maximum: Option<i128>) -> BalanceLimit {
    let limit_amount = |units: i128| LimitAmount::new(units).unwrap();
    BalanceLimit {
        asset: asset.parse().unwrap(),
        minimum: minimum.map(limit_amount),
        maximum: maximum.map(limit_amount),
    }
}

pub(crate) fn freeze(account: &str, scope: FreezeScope) -> Command {
    Command::FreezeAccount { account: account.parse().unwrap(), scope }
}

pub(crate) fn unfreeze(account: &str, scope: FreezeScope) -> Command {
    Command::UnfreezeAccount { account: account.parse().unwrap(), scope }
}

pub(crate) fn close(account: &str) -> Command {
    Command::CloseAccount { account: account.parse().unwrap() }
}

pub(crate) fn set_overdraft(account: &str, overdraft: Overdraft) -> Command {
    Command::SetOverdraftPolicy { account: account.parse().unwrap(), overdraft }
}

pub(crate) fn set_limits(account: &str, limits: &[BalanceLimit]) -> Command {
    Command::SetBalanceLimits { account: account.parse().unwrap(), limits: limits.to_vec() }
}

pub(crate) fn entry(account: &str, direction: Direction, asset: &str, minor_units: i128) -> Entry {
    Entry {
        account: account.parse().unwrap(),
        direction,
        asset: asset.parse().unwrap(),
        amount: amount(minor_units),
    }
}

pub(crate) fn debit(account: &str, minor_units: i128) -> Entry {
    entry(account, Direction::Debit, "USD/2", minor_units)
}

pub(crate) fn credit(account: &str, minor_units: i128) -> Entry {
    entry(account, Direction::Credit, "USD/2", minor_units)
}

pub(crate) fn transfer(debit: &str, credit: &str, asset: &str, minor_units: i128) -> Vec<Entry> {
    vec![
        entry(debit, Direction::Debit, asset, minor_units),
        entry(credit, Direction::Credit, asset, minor_units),
    ]
}

pub(crate) fn posting(transaction: &str, entries: Vec<Entry>) -> PostTransaction {
    PostTransaction {
        transaction: transaction.parse().unwrap(),
        entries,
        effective_at: None,
        reference: None,
        metadata: Metadata::new(),
    }
}

pub(crate) fn post(transaction: &str, entries: Vec<Entry>) -> Command {
    Command::PostTransaction(posting(transaction, entries))
}

pub(crate) fn pay(transaction: &str, debit: &str, credit: &str, minor_units: i128) -> Command {
    post(transaction, transfer(debit, credit, "USD/2", minor_units))
}

/// A transfer of 1 from the bank to Alice that takes effect then.
pub(crate) fn pay_at(transaction: &str, effective_at: &str) -> Command {
    Command::PostTransaction(PostTransaction {
        effective_at: Some(moment(effective_at)),
        ..posting(transaction, transfer("bank", "alice", "USD/2", 1))
    })
}

/// A transfer of 1 from the bank to Alice that has the reference.
pub(crate) fn refer(transaction: &str, reference: &str) -> Command {
    Command::PostTransaction(PostTransaction {
        reference: Some(reference.parse().unwrap()),
        ..posting(transaction, transfer("bank", "alice", "USD/2", 1))
    })
}

pub(crate) fn reversing(transaction: &str, reversal: &str, part: ReversedPart) -> ReverseTransaction {
    ReverseTransaction {
        transaction: transaction.parse().unwrap(),
        reversal: reversal.parse().unwrap(),
        part,
        effective_at: ReversalTime::Now,
        reference: None,
        metadata: Metadata::new(),
    }
}

pub(crate) fn reverse(transaction: &str, reversal: &str) -> Command {
    Command::ReverseTransaction(reversing(transaction, reversal, ReversedPart::Whole))
}

pub(crate) fn reverse_amount(transaction: &str, reversal: &str, minor_units: i128) -> Command {
    let part = ReversedPart::Amount(amount(minor_units));
    Command::ReverseTransaction(reversing(transaction, reversal, part))
}

pub(crate) fn reverse_entries(transaction: &str, reversal: &str, entries: Vec<Entry>) -> Command {
    Command::ReverseTransaction(reversing(transaction, reversal, ReversedPart::Entries(entries)))
}

pub(crate) fn placing(hold: &str, debit: &str, credit: &str, minor_units: i128) -> PlaceHold {
    PlaceHold {
        hold: hold.parse().unwrap(),
        debit: debit.parse().unwrap(),
        credit: credit.parse().unwrap(),
        asset: "USD/2".parse().unwrap(),
        amount: amount(minor_units),
        expires_at: None,
        metadata: Metadata::new(),
    }
}

pub(crate) fn hold(hold: &str, debit: &str, credit: &str, minor_units: i128) -> Command {
    Command::Hold(placing(hold, debit, credit, minor_units))
}

/// A hold of Alice's money for the shop, with a deadline.
pub(crate) fn hold_until(hold: &str, minor_units: i128, expires_at: &str) -> Command {
    Command::Hold(PlaceHold {
        expires_at: Some(moment(expires_at)),
        ..placing(hold, "alice", "shop", minor_units)
    })
}

pub(crate) fn capturing(hold: &str, transaction: &str) -> CaptureHold {
    CaptureHold {
        hold: hold.parse().unwrap(),
        transaction: transaction.parse().unwrap(),
        amount: None,
        is_final: false,
        effective_at: None,
        reference: None,
        metadata: Metadata::new(),
    }
}

/// Captures all that is left.
pub(crate) fn capture(hold: &str, transaction: &str) -> Command {
    Command::Capture(capturing(hold, transaction))
}

pub(crate) fn capture_amount(hold: &str, transaction: &str, minor_units: i128) -> Command {
    Command::Capture(CaptureHold { amount: Some(amount(minor_units)), ..capturing(hold, transaction) })
}

/// Captures an amount and gives the rest back.
pub(crate) fn capture_last(hold: &str, transaction: &str, minor_units: i128) -> Command {
    let amount = Some(amount(minor_units));
    Command::Capture(CaptureHold { amount, is_final: true, ..capturing(hold, transaction) })
}

pub(crate) fn release(hold: &str) -> Command {
    Command::Release { hold: hold.parse().unwrap() }
}

pub(crate) fn expire(hold: &str) -> Command {
    Command::Expire { hold: hold.parse().unwrap() }
}

pub(crate) fn set_window(past_days: Option<u32>, future_days: Option<u32>) -> Command {
    Command::SetEffectiveWindow { window: EffectiveWindow { past_days, future_days } }
}

pub(crate) fn close_period(through: &str) -> Command {
    Command::ClosePeriod { through: moment(through) }
}

pub(crate) fn reopen_period(from: &str) -> Command {
    Command::ReopenPeriod { from: moment(from) }
}

/// A rule without overdraft, limits or assets, whose accounts have to be opened.
pub(crate) fn rule(pattern: &str, kind: AccountKind) -> ChartRule {
    ChartRule {
        pattern: pattern.parse().unwrap(),
        kind,
        overdraft: Overdraft::None,
        limits: Vec::new(),
        assets: Vec::new(),
        opens_on_first_use: false,
    }
}

/// A rule whose accounts are opened by their first use.
pub(crate) fn opening_rule(pattern: &str, kind: AccountKind) -> ChartRule {
    ChartRule { opens_on_first_use: true, ..rule(pattern, kind) }
}

pub(crate) fn set_chart(rules: &[ChartRule]) -> Command {
    Command::SetChart { rules: rules.to_vec() }
}

pub(crate) fn of_account(account: &str) -> MetadataOwner {
    MetadataOwner::Account(account.parse().unwrap())
}

pub(crate) fn of_transaction(transaction: &str) -> MetadataOwner {
    MetadataOwner::Transaction(transaction.parse().unwrap())
}

pub(crate) fn set_metadata(of: MetadataOwner, metadata: serde_json::Value) -> Command {
    Command::SetMetadata { of, metadata: members(metadata) }
}

pub(crate) fn remove_metadata(of: MetadataOwner, keys: &[&str]) -> Command {
    Command::RemoveMetadata { of, keys: keys.iter().map(|key| (*key).to_owned()).collect() }
}

pub(crate) fn profile(name: &str) -> Profile {
    Profile { name: Some(Personal(name.to_owned())), ..Profile::default() }
}

pub(crate) fn register(customer: &str, name: &str) -> Command {
    Command::RegisterCustomer {
        customer: customer.parse().unwrap(),
        profile: profile(name),
        metadata: Metadata::new(),
    }
}

pub(crate) fn update(customer: &str, name: &str) -> Command {
    Command::UpdateCustomer {
        customer: customer.parse().unwrap(),
        profile: profile(name),
        metadata: Metadata::new(),
    }
}

pub(crate) fn link(customer: &str, account: &str) -> Command {
    Command::LinkAccount { customer: customer.parse().unwrap(), account: account.parse().unwrap() }
}

pub(crate) fn unlink(customer: &str, account: &str) -> Command {
    Command::UnlinkAccount { customer: customer.parse().unwrap(), account: account.parse().unwrap() }
}

pub(crate) fn forget(customer: &str) -> Command {
    Command::ForgetCustomer { customer: customer.parse().unwrap() }
}
