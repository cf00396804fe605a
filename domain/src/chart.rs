//! The commands that set and remove the chart of accounts.

use recount_events::ledger::{Asset, ChartRemoved, ChartRule, ChartSet, LedgerEvent};

use crate::assets;
use crate::decision::Decision;
use crate::entity::{Ledger, States};
use crate::rejection::Rejection;

pub(crate) fn set(rules: &[ChartRule], ledger: &Ledger, states: &States<'_>) -> Decision {
    Rejection::first_of(assets_of(rules), |asset| assets::check(asset, states))?;
    let is_set = ledger.chart.as_ref().is_some_and(|chart| chart.rules() == rules);
    Ok(if is_set { vec![] } else { vec![LedgerEvent::ChartSet(ChartSet { rules: rules.to_vec() })] })
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
        assets::of_overdraft(&rule.overdraft).chain(assets::of_limits(&rule.limits)).chain(&rule.assets)
    })
}
