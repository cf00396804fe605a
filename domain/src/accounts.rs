//! Accounts: opening, freezing, limiting and closing them.

use recount_core::Tag;
use recount_events::ledger::{
    AccountClosed, AccountFrozen, AccountKind, AccountName, AccountOpened, AccountUnfrozen, Asset,
    BalanceLimit, BalanceLimitsSet, ChartRule, Direction, FreezeScope, LedgerEvent, Overdraft,
    OverdraftPolicySet, tag,
};

use crate::assets;
use crate::command::OpenAccount;
use crate::decision::Decision;
use crate::entity::{Account, Ledger, States};
use crate::rejection::{AssetList, Rejection};

pub(crate) fn open_needs(command: &OpenAccount, tags: &mut Vec<Tag>) {
    tags.push(tag::account(&command.account));
    tags.extend(assets_of(command).map(tag::asset));
}

pub(crate) fn open(command: &OpenAccount, ledger: &Ledger, states: &States<'_>) -> Decision {
    if let Some(account) = states.account(&command.account) {
        return match differing_field(&account.opened, command) {
            // A closed account stays closed, so the command cannot have its effect.
            None if account.closed => Err(Rejection::AccountClosed { account: command.account.clone() }),
            None => Ok(vec![]),
            Some(field) => Err(Rejection::AccountConflict { account: command.account.clone(), field }),
        };
    }
    Rejection::first_of(assets_of(command), |asset| assets::check(asset, states))?;
    let rule = rule_for(&command.account, ledger)?;
    let opened = AccountOpened {
        account: command.account.clone(),
        kind: kind_of(command, rule)?,
        overdraft: command.overdraft.clone().or(rule.map(|rule| rule.overdraft.clone())).unwrap_or_default(),
        limits: command.limits.clone().or(rule.map(|rule| rule.limits.clone())).unwrap_or_default(),
        assets: allowed_assets(command, rule)?,
        metadata: command.metadata.clone(),
        on_first_use: false,
    };
    Ok(vec![LedgerEvent::AccountOpened(opened)])
}

/// The first member of the command that differs from the open account. A member left to the chart does not differ.
fn differing_field(opened: &AccountOpened, command: &OpenAccount) -> Option<&'static str> {
    if command.kind.is_some_and(|kind| kind != opened.kind) {
        Some("kind")
    } else if command.overdraft.as_ref().is_some_and(|overdraft| *overdraft != opened.overdraft) {
        Some("overdraft")
    } else if command.limits.as_ref().is_some_and(|limits| *limits != opened.limits) {
        Some("limits")
    } else if !command.assets.is_empty() && command.assets != opened.assets {
        Some("assets")
    } else if command.metadata != opened.metadata {
        Some("metadata")
    } else {
        None
    }
}

/// The chart's rule for the account name; `None` if there is no chart.
fn rule_for<'l>(account: &AccountName, ledger: &'l Ledger) -> Result<Option<&'l ChartRule>, Rejection> {
    match ledger.rule(account) {
        None if ledger.chart.is_some() => Err(Rejection::AccountNotInChart { account: account.clone() }),
        rule => Ok(rule),
    }
}

fn kind_of(command: &OpenAccount, rule: Option<&ChartRule>) -> Result<AccountKind, Rejection> {
    match (command.kind, rule) {
        (Some(kind), Some(rule)) if kind != rule.kind => Err(Rejection::KindNotInChart {
            account: command.account.clone(),
            kind,
            pattern: rule.pattern.clone(),
            chart_kind: rule.kind,
        }),
        (_, Some(rule)) => Ok(rule.kind),
        (Some(kind), None) => Ok(kind),
        (None, None) => Err(Rejection::KindMissing { account: command.account.clone() }),
    }
}

/// The assets of the command, which must be among those of the rule. Default: the rule's.
fn allowed_assets(command: &OpenAccount, rule: Option<&ChartRule>) -> Result<Vec<Asset>, Rejection> {
    let of_rule = rule.map(|rule| rule.assets.as_slice()).unwrap_or_default();
    if command.assets.is_empty() {
        return Ok(of_rule.to_vec());
    }
    match command.assets.iter().find(|asset| !of_rule.is_empty() && !of_rule.contains(asset)) {
        None => Ok(command.assets.clone()),
        Some(asset) => {
            let (account, asset) = (command.account.clone(), asset.clone());
            Err(Rejection::AssetNotAllowed { account, asset, allowed: AssetList(of_rule.to_vec()) })
        }
    }
}

pub(crate) fn freeze(account: &AccountName, scope: FreezeScope, states: &States<'_>) -> Decision {
    let already_holds = |state: &Account| directions(scope).all(|direction| state.frozen_for(direction));
    let event = || LedgerEvent::AccountFrozen(AccountFrozen { account: account.clone(), scope });
    change(account, states, already_holds, event)
}

pub(crate) fn unfreeze(account: &AccountName, scope: FreezeScope, states: &States<'_>) -> Decision {
    let already_holds = |state: &Account| !directions(scope).any(|direction| state.frozen_for(direction));
    let event = || LedgerEvent::AccountUnfrozen(AccountUnfrozen { account: account.clone(), scope });
    change(account, states, already_holds, event)
}

fn directions(scope: FreezeScope) -> impl Iterator<Item = Direction> {
    [Direction::Debit, Direction::Credit].into_iter().filter(move |direction| scope.covers(*direction))
}

pub(crate) fn close(account: &AccountName, states: &States<'_>) -> Decision {
    let state = existing_account(account, states)?;
    if state.closed {
        return Ok(vec![]);
    }
    Rejection::first_of(&state.balances, |(asset, balance)| {
        let figures = balance.figures(state.kind());
        let (account, asset) = (account.clone(), asset.clone());
        if figures.posted != 0 {
            Err(Rejection::AccountNotEmpty { account, asset, posted: figures.posted })
        } else if balance.has_holds() {
            let (held, incoming) = (figures.held, figures.incoming);
            Err(Rejection::AccountHasHolds { account, asset, held, incoming })
        } else {
            Ok(())
        }
    })?;
    Ok(vec![LedgerEvent::AccountClosed(AccountClosed { account: account.clone() })])
}

pub(crate) fn set_overdraft(account: &AccountName, overdraft: &Overdraft, states: &States<'_>) -> Decision {
    Rejection::first_of(assets::of_overdraft(overdraft), |asset| assets::check(asset, states))?;
    let already_holds = |state: &Account| state.terms.overdraft == *overdraft;
    let set = || OverdraftPolicySet { account: account.clone(), overdraft: overdraft.clone() };
    change(account, states, already_holds, || LedgerEvent::OverdraftPolicySet(set()))
}

pub(crate) fn set_limits(account: &AccountName, limits: &[BalanceLimit], states: &States<'_>) -> Decision {
    Rejection::first_of(assets::of_limits(limits), |asset| assets::check(asset, states))?;
    let already_holds = |state: &Account| state.terms.limits == limits;
    let set = || BalanceLimitsSet { account: account.clone(), limits: limits.to_vec() };
    change(account, states, already_holds, || LedgerEvent::BalanceLimitsSet(set()))
}

/// The account, open or closed.
pub(crate) fn existing_account<'a>(
    account: &AccountName,
    states: &States<'a>,
) -> Result<&'a Account, Rejection> {
    states.account(account).ok_or_else(|| Rejection::AccountUnknown { account: account.clone() })
}

/// Changes an open account. If the effect already holds, the command is accepted even on a closed account.
fn change(
    account: &AccountName,
    states: &States<'_>,
    already_holds: impl FnOnce(&Account) -> bool,
    event: impl FnOnce() -> LedgerEvent,
) -> Decision {
    let state = existing_account(account, states)?;
    if already_holds(state) {
        Ok(vec![])
    } else if state.closed {
        Err(Rejection::AccountClosed { account: account.clone() })
    } else {
        Ok(vec![event()])
    }
}

/// The assets that the command names.
fn assets_of(command: &OpenAccount) -> impl Iterator<Item = &Asset> {
    let limits = command.limits.as_deref().unwrap_or_default();
    command
        .overdraft
        .iter()
        .flat_map(assets::of_overdraft)
        .chain(assets::of_limits(limits))
        .chain(&command.assets)
}
