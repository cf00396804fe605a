//! Deciding on the chart of accounts, and opening accounts by it on first use.

use std::collections::BTreeMap;

use recount_events::ledger::{
    AccountName, AccountOpened, Asset, ChartRemoved, ChartRule, ChartSet, LedgerEvent,
};

use crate::Decision;
use crate::accounts;
use crate::assets;
use crate::entity::{Account, Ledger, States};
use crate::rejection::Rejection;

pub(crate) fn set(rules: &[ChartRule], ledger: &Ledger, states: &States<'_>) -> Decision {
    Rejection::first(assets_of(rules), |asset| assets::check(asset, states))?;
    let is_so = ledger.chart.as_ref().is_some_and(|chart| chart.rules() == rules);
    Ok(if is_so { vec![] } else { vec![LedgerEvent::ChartSet(ChartSet { rules: rules.to_vec() })] })
}

pub(crate) fn remove(ledger: &Ledger) -> Decision {
    Ok(match ledger.chart {
        Some(_) => vec![LedgerEvent::ChartRemoved(ChartRemoved {})],
        None => vec![],
    })
}

/// The assets that the rules name.
pub(crate) fn assets_of(rules: &[ChartRule]) -> impl Iterator<Item = &Asset> {
    rules.iter().flat_map(|rule| {
        accounts::assets_of_overdraft(&rule.overdraft)
            .chain(rule.limits.iter().map(|limit| &limit.asset))
            .chain(&rule.assets)
    })
}

/// The accounts that a command uses: those that are there, and those that it opens by using them.
pub(crate) struct UsedAccounts<'s, 'a> {
    states: &'s States<'a>,
    opened: BTreeMap<AccountName, (AccountOpened, Account)>,
}

impl<'s, 'a> UsedAccounts<'s, 'a> {
    pub(crate) fn new<'n>(
        names: impl Iterator<Item = &'n AccountName>,
        ledger: &Ledger,
        states: &'s States<'a>,
    ) -> UsedAccounts<'s, 'a> {
        let mut opened = BTreeMap::new();
        // Without a chart, which is usual, nothing is opened and nothing is looked up.
        if ledger.chart.is_some() {
            for name in names.filter(|name| states.account(name).is_none()) {
                if opened.contains_key(name) {
                    continue;
                }
                // One that nothing opens is unknown, and then it does not matter what would open the others.
                let Some(rule) = ledger.first_use_rule(name) else { break };
                let event = accounts::opened_by_rule(name, rule);
                opened.insert(name.clone(), (event.clone(), Account::opened(event)));
            }
        }
        UsedAccounts { states, opened }
    }

    pub(crate) fn find(&self, name: &AccountName) -> Option<&Account> {
        self.states.account(name).or_else(|| Some(&self.opened.get(name)?.1))
    }

    /// What opens the accounts that were not there, before what uses them.
    pub(crate) fn into_events(self, then: LedgerEvent) -> Vec<LedgerEvent> {
        let opened = self.opened.into_values().map(|(event, _)| LedgerEvent::AccountOpened(event));
        opened.chain([then]).collect()
    }
}
