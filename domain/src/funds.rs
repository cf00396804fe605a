//! Whether the accounts take what a command would post to them or set aside on them.
//!
//! Limits apply to the balances as they are in the order of recording, whatever the effective times are.

use std::collections::BTreeMap;

use recount_events::ledger::{AccountName, Amount, Asset, Direction, Entry};

use crate::balance::{Balance, Sides};
use crate::chart::UsedAccounts;
use crate::entity::Account;
use crate::rejection::{Listed, Rejection};

/// One side of something to be posted or set aside.
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

/// What becomes of a balance when all this happens to it; `None` if it could not be counted.
pub(crate) type Change = fn(Balance, Sides) -> Option<Balance>;

/// Makes sure that the account of each leg is there, open, not frozen, and may hold the asset. Answers the accounts in
/// the order of the legs.
pub(crate) fn check_accounts<'a>(
    legs: impl Iterator<Item = Leg<'a>> + Clone,
    accounts: &'a UsedAccounts<'_, '_>,
) -> Result<Vec<&'a Account>, Rejection> {
    let found: Result<Vec<&Account>, Rejection> =
        legs.clone().map(|leg| check_account(leg, accounts)).collect();
    // One fault is enough to look for the one that comes first in the precedence.
    found.or_else(|fault| {
        Rejection::first(legs, |leg| check_account(leg, accounts).map(|_| ()))?;
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
    } else if !account.takes(leg.asset) {
        let allowed = Listed(account.opened.assets.clone());
        Err(Rejection::AssetNotAllowed { account: name.clone(), asset: leg.asset.clone(), allowed })
    } else {
        Ok(account)
    }
}

/// Makes sure that no account ends outside its limits. What counts is where the whole command leaves an account, not
/// what its legs do on the way; `accounts` are those of the legs, in their order.
pub(crate) fn check_limits<'a>(
    legs: impl Iterator<Item = Leg<'a>> + Clone,
    accounts: &[&Account],
    change: Change,
) -> Result<(), Rejection> {
    let mut moved: BTreeMap<(&AccountName, &Asset), Sides> = BTreeMap::new();
    for leg in legs.clone() {
        let sides = moved.entry((leg.account, leg.asset)).or_default();
        *sides = sides.with(leg.direction, leg.amount).ok_or_else(|| overflow(leg))?;
    }
    let after = |leg: Leg<'_>, account: &Account| {
        change(account.balance(leg.asset), moved[&(leg.account, leg.asset)])
    };
    Rejection::first(legs.zip(accounts), |(leg, account)| match after(leg, account) {
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
    // What does not make it worse is taken: it may be what mends it.
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
