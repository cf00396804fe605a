//! Deciding on accounts: opening, freezing, closing, overdrafts.

use recount_events::ledger::{
    AccountClosed, AccountFrozen, AccountName, AccountOpened, AccountUnfrozen, Asset, Direction, FreezeScope,
    LedgerEvent, Overdraft, OverdraftPolicySet,
};

use crate::assets;
use crate::command::OpenAccount;
use crate::entity::{Account, States};
use crate::rejection::Rejection;

type Decision = Result<Vec<LedgerEvent>, Rejection>;

pub(crate) fn open(command: &OpenAccount, states: &States<'_>) -> Decision {
    if let Some(account) = states.account(&command.account) {
        return match differing_field(account, command) {
            None => Ok(vec![]),
            Some(field) => Err(Rejection::AccountConflict { account: command.account.clone(), field }),
        };
    }
    check_assets(&command.overdraft, states)?;
    Ok(vec![LedgerEvent::AccountOpened(AccountOpened {
        account: command.account.clone(),
        kind: command.kind,
        overdraft: command.overdraft.clone(),
        metadata: command.metadata.clone(),
    })])
}

fn differing_field(account: &Account, command: &OpenAccount) -> Option<&'static str> {
    if account.kind != command.kind {
        Some("kind")
    } else if account.opened_overdraft != command.overdraft {
        Some("overdraft")
    } else if account.metadata != command.metadata {
        Some("metadata")
    } else {
        None
    }
}

pub(crate) fn freeze(account: &AccountName, scope: FreezeScope, states: &States<'_>) -> Decision {
    let state = open_account(account, states)?;
    let frozen = [Direction::Debit, Direction::Credit]
        .into_iter()
        .all(|direction| !scope.covers(direction) || state.frozen_for(direction));
    let event = AccountFrozen { account: account.clone(), scope };
    Ok(if frozen { vec![] } else { vec![LedgerEvent::AccountFrozen(event)] })
}

pub(crate) fn unfreeze(account: &AccountName, scope: FreezeScope, states: &States<'_>) -> Decision {
    let state = open_account(account, states)?;
    let frozen = [Direction::Debit, Direction::Credit]
        .into_iter()
        .any(|direction| scope.covers(direction) && state.frozen_for(direction));
    let event = AccountUnfrozen { account: account.clone(), scope };
    Ok(if frozen { vec![LedgerEvent::AccountUnfrozen(event)] } else { vec![] })
}

pub(crate) fn close(account: &AccountName, states: &States<'_>) -> Decision {
    let state = known_account(account, states)?;
    if state.closed {
        return Ok(vec![]);
    }
    for (asset, sums) in &state.balances {
        let balance = sums.posted(state.kind);
        if balance != 0 {
            return Err(Rejection::AccountNotEmpty {
                account: account.clone(),
                asset: asset.clone(),
                balance,
            });
        }
    }
    Ok(vec![LedgerEvent::AccountClosed(AccountClosed { account: account.clone() })])
}

pub(crate) fn set_overdraft(account: &AccountName, overdraft: &Overdraft, states: &States<'_>) -> Decision {
    check_assets(overdraft, states)?;
    let state = open_account(account, states)?;
    let event = OverdraftPolicySet { account: account.clone(), overdraft: overdraft.clone() };
    Ok(if state.overdraft == *overdraft { vec![] } else { vec![LedgerEvent::OverdraftPolicySet(event)] })
}

fn known_account<'a>(account: &AccountName, states: &States<'a>) -> Result<&'a Account, Rejection> {
    states.account(account).ok_or_else(|| Rejection::AccountUnknown { account: account.clone() })
}

/// The account, if it takes changes.
pub(crate) fn open_account<'a>(account: &AccountName, states: &States<'a>) -> Result<&'a Account, Rejection> {
    let state = known_account(account, states)?;
    if state.closed { Err(Rejection::AccountClosed { account: account.clone() }) } else { Ok(state) }
}

/// The assets that an overdraft policy names.
pub(crate) fn assets_of(overdraft: &Overdraft) -> impl Iterator<Item = &Asset> {
    let limits = match overdraft {
        Overdraft::Limited(limits) => limits.as_slice(),
        Overdraft::None | Overdraft::Unlimited => &[],
    };
    limits.iter().map(|limit| &limit.asset)
}

fn check_assets(overdraft: &Overdraft, states: &States<'_>) -> Result<(), Rejection> {
    assets_of(overdraft).try_for_each(|asset| assets::check(asset, states))
}

/// The lowest balance, on its normal side, that an account may come to; `None` is any.
pub(crate) fn minimum_balance(overdraft: &Overdraft, asset: &Asset) -> Option<i128> {
    match overdraft {
        Overdraft::None => Some(0),
        Overdraft::Unlimited => None,
        Overdraft::Limited(limits) => {
            let limit = limits.iter().find(|limit| limit.asset == *asset);
            Some(limit.map_or(0, |limit| -limit.amount.minor_units()))
        }
    }
}
