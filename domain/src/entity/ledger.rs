//! The ledger itself as the decider sees it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use recount_events::ledger::{AccountName, ChartRule, EffectiveWindow};
use serde::{Deserialize, Serialize};

use super::chart::Chart;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub window: EffectiveWindow,
    /// Nothing may take effect at this time or before it.
    pub closed_through: Option<DateTime<Utc>>,
    /// Which accounts there may be; any, if there is no chart.
    pub chart: Option<Arc<Chart>>,
}

impl Ledger {
    /// The chart's rule for accounts of this name: the first that allows it.
    pub fn rule(&self, account: &AccountName) -> Option<&ChartRule> {
        self.chart.as_ref()?.rule(account)
    }

    /// The rule by which the first use of such an account opens it.
    pub fn first_use_rule(&self, account: &AccountName) -> Option<&ChartRule> {
        self.rule(account).filter(|rule| rule.opens_on_first_use)
    }

    pub(super) fn reopen(&mut self, from: DateTime<Utc>) {
        // In the microseconds in which time is recorded.
        let just_before = from.checked_sub_signed(TimeDelta::microseconds(1));
        self.closed_through = Some(just_before.unwrap_or(from));
    }
}
