//! The ledger itself as decisions see it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use recount_events::ledger::{AccountName, ChartRule, EffectiveWindow};
use serde::{Deserialize, Serialize};

use super::chart::Chart;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub window: EffectiveWindow,
    /// Effective times up to and including this one are rejected.
    pub closed_through: Option<DateTime<Utc>>,
    /// The chart of accounts. Without one, a new account may have any name.
    pub chart: Option<Arc<Chart>>,
}

impl Ledger {
    /// The first rule of the chart that matches the account.
    pub fn rule(&self, account: &AccountName) -> Option<&ChartRule> {
        self.chart.as_ref()?.rule(account)
    }

    /// The rule by which the first use of the account opens it.
    pub fn first_use_rule(&self, account: &AccountName) -> Option<&ChartRule> {
        self.rule(account).filter(|rule| rule.opens_on_first_use)
    }

    pub(super) fn reopen(&mut self, from: DateTime<Utc>) {
        // Times are recorded in microseconds.
        let just_before = from.checked_sub_signed(TimeDelta::microseconds(1));
        self.closed_through = Some(just_before.unwrap_or(from));
    }
}
