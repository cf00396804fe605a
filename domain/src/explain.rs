//! The balances that a decision changes.

use std::collections::BTreeSet;

use recount_events::ledger::{AccountName, Asset, LedgerEvent, tag};

use crate::balance::Figures;
use crate::entity::{Account, States};

/// A balance before and after a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceChange {
    pub account: AccountName,
    pub asset: Asset,
    pub before: Figures,
    pub after: Figures,
}

/// The balances that differ between the states before and after these events, by account and asset.
pub fn explain(events: &[LedgerEvent], before: &States<'_>, after: &States<'_>) -> Vec<BalanceChange> {
    let tags = events.iter().flat_map(LedgerEvent::tags);
    let names = tags.filter(|tag| tag.parts().0 == tag::ACCOUNT).map(|tag| tag.parts().1.to_owned());
    let accounts: BTreeSet<String> = names.collect();
    let changes = accounts.iter().flat_map(|name| {
        let name = AccountName::from_stored(name);
        let (was, is) = (before.account(&name), after.account(&name));
        is.into_iter().flat_map(move |is| changes_of(&name, was, is)).collect::<Vec<_>>()
    });
    changes.collect()
}

fn changes_of<'a>(
    name: &AccountName,
    was: Option<&'a Account>,
    is: &'a Account,
) -> impl Iterator<Item = BalanceChange> + use<'a> {
    let name = name.clone();
    is.balances.iter().filter_map(move |(asset, balance)| {
        let before = was.map(|was| was.balance(asset)).unwrap_or_default();
        (before != *balance).then(|| BalanceChange {
            account: name.clone(),
            asset: asset.clone(),
            before: before.figures(is.kind()),
            after: balance.figures(is.kind()),
        })
    })
}
