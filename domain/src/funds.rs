//! Whether accounts accept the amounts that a command posts or holds.
//!
//! Limits apply to balances in the order of recording, whatever the effective times are.

use std::collections::BTreeMap;

use recount_events::ledger::{AccountName, Amount, Asset, Direction, Entry};

use crate::balance::{Balance, Totals};
use crate::entity::Account;
use crate::rejection::{AssetList, Rejection};
use crate::used_accounts::UsedAccounts;

/// A debit or credit to post or hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg<'a> {
    pub(crate) account: &'a AccountName,
    pub(crate) direction: Direction,
    pub(crate) asset: &'a Asset,
    pub(crate) amount: Amount,
}

impl<'a> From<&'a Entry> for Leg<'a> {
    fn from(entry: &'a Entry) -> Leg<'a> {
        Leg { account: &entry.account, direction: entry.direction, asset: &entry.asset, amount: entry.amount }
    }
}

/// The balance after these debits and credits are posted or held; `None` on overflow.
pub(crate) type Change = fn(Balance, Totals) -> Option<Balance>;

/// Checks that the account of each leg exists, is open, is not frozen, and may hold the asset. Returns the accounts in
/// the order of the legs.
pub(crate) fn check_accounts<'a>(
    legs: impl Iterator<Item = Leg<'a>> + Clone,
    accounts: &'a UsedAccounts<'_, '_>,
) -> Result<Vec<&'a Account>, Rejection> {
    let checked: Result<Vec<&Account>, Rejection> =
        legs.clone().map(|leg| check_account(leg, accounts)).collect();
    // If a leg fails, check all of them for the rejection that is first in the precedence.
    checked.or_else(|fault| {
        Rejection::first_of(legs, |leg| check_account(leg, accounts).map(|_| ()))?;
        Err(fault)
    })
}

fn check_account<'a>(leg: Leg<'_>, accounts: &'a UsedAccounts<'_, '_>) -> Result<&'a Account, Rejection> {
    let name = leg.account;
    let Some(account) = accounts.find(name) else {
        return Err(Rejection::AccountUnknown { account: name.clone() });
    };
    if account.closed {
        Err(Rejection::AccountClosed { account: name.clone() })
    } else if account.frozen_for(leg.direction) {
        Err(Rejection::AccountFrozen { account: name.clone(), direction: leg.direction })
    } else if !account.may_hold(leg.asset) {
        let allowed = AssetList(account.opened.assets.clone());
        Err(Rejection::AssetNotAllowed { account: name.clone(), asset: leg.asset.clone(), allowed })
    } else {
        Ok(account)
    }
}

/// Checks that no account ends outside its limits. Only the balances after the whole command count, not those between its
/// legs. `accounts` are the accounts of the legs, in their order.
pub(crate) fn check_limits<'a>(
    legs: impl Iterator<Item = Leg<'a>> + Clone,
    accounts: &[&Account],
    change: Change,
) -> Result<(), Rejection> {
    let mut totals: BTreeMap<(&AccountName, &Asset), Totals> = BTreeMap::new();
    for leg in legs.clone() {
        let total = totals.entry((leg.account, leg.asset)).or_default();
        *total = total.with(leg.direction, leg.amount).ok_or_else(|| overflow(leg))?;
    }
    let after = |leg: Leg<'_>, account: &Account| {
        change(account.balance(leg.asset), totals[&(leg.account, leg.asset)])
    };
    Rejection::first_of(legs.zip(accounts), |(leg, account)| match after(leg, account) {
        Some(after) => check_limit(leg, account, after),
        None => Err(overflow(leg)),
    })
}

fn overflow(leg: Leg<'_>) -> Rejection {
    Rejection::BalanceOverflow { account: leg.account.clone(), asset: leg.asset.clone() }
}

fn check_limit(leg: Leg<'_>, account: &Account, after: Balance) -> Result<(), Rejection> {
    let before = account.balance(leg.asset).figures(account.kind());
    let after = after.figures(account.kind());
    // A balance may already be outside its limits. A change that does not take it further out is accepted.
    if let Some(minimum) = account.minimum(leg.asset)
        && after.available < minimum
        && after.available < before.available
    {
        return Err(Rejection::InsufficientFunds {
            account: leg.account.clone(),
            asset: leg.asset.clone(),
            posted: before.posted,
            held: before.held,
            available: before.available,
            available_after: after.available,
            minimum,
        });
    }
    if let Some(maximum) = account.maximum(leg.asset)
        && after.posted + after.incoming > maximum
        && after.posted + after.incoming > before.posted + before.incoming
    {
        return Err(Rejection::MaximumExceeded {
            account: leg.account.clone(),
            asset: leg.asset.clone(),
            posted: before.posted,
            incoming: before.incoming,
            total_after: after.posted + after.incoming,
            maximum,
        });
    }
    Ok(())
}
