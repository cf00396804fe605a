//! The accounts that a transaction or hold uses, including those that it opens by using them first.

use std::collections::BTreeMap;

use recount_events::ledger::{AccountName, AccountOpened, ChartRule, LedgerEvent, Metadata};

use crate::entity::{Account, Ledger, States};

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
        // Most ledgers have no chart: then nothing is opened, and no lookup is needed.
        if ledger.chart.is_some() {
            for name in names.filter(|name| states.account(name).is_none()) {
                if opened.contains_key(name) {
                    continue;
                }
                // No rule opens this account, so the command is rejected, whatever the other rules are.
                let Some(rule) = ledger.first_use_rule(name) else { break };
                let event = opened_on_first_use(name, rule);
                opened.insert(name.clone(), (event.clone(), Account::opened(event)));
            }
        }
        UsedAccounts { states, opened }
    }

    pub(crate) fn find(&self, name: &AccountName) -> Option<&Account> {
        self.states.account(name).or_else(|| Some(&self.opened.get(name)?.1))
    }

    /// The events that open accounts, followed by the event that uses them.
    pub(crate) fn into_events(self, then: LedgerEvent) -> Vec<LedgerEvent> {
        let opened = self.opened.into_values().map(|(event, _)| LedgerEvent::AccountOpened(event));
        opened.chain([then]).collect()
    }
}

fn opened_on_first_use(account: &AccountName, rule: &ChartRule) -> AccountOpened {
    AccountOpened {
        account: account.clone(),
        kind: rule.kind,
        overdraft: rule.overdraft.clone(),
        limits: rule.limits.clone(),
        assets: rule.assets.clone(),
        metadata: Metadata::new(),
        on_first_use: true,
    }
}
