//! The chart of accounts as the decider sees it.

use std::collections::HashMap;

use recount_events::ledger::{AccountName, ChartRule};
use serde::{Deserialize, Serialize};

/// Which accounts there may be. Every account that is not there yet is looked up in it, so that the rules that stand for
/// one name are found by it; those with `*` are few, and gone through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<ChartRule>", into = "Vec<ChartRule>")]
pub struct Chart {
    rules: Vec<ChartRule>,
    /// The place of the first rule for each name.
    by_name: HashMap<String, usize>,
    /// The places of the others, in their order.
    with_stars: Vec<usize>,
}

impl Chart {
    pub fn rules(&self) -> &[ChartRule] {
        &self.rules
    }

    /// The first rule that allows the account.
    pub fn rule(&self, account: &AccountName) -> Option<&ChartRule> {
        let named = self.by_name.get(account.as_str()).copied();
        let before = named.unwrap_or(self.rules.len());
        let mut others = self.with_stars.iter().copied().take_while(|place| *place < before);
        let place = others.find(|place| self.rules[*place].pattern.matches(account)).or(named)?;
        Some(&self.rules[place])
    }
}

impl From<Vec<ChartRule>> for Chart {
    fn from(rules: Vec<ChartRule>) -> Chart {
        let mut by_name = HashMap::new();
        let mut with_stars = Vec::new();
        for (place, ChartRule { pattern, .. }) in rules.iter().enumerate() {
            if pattern.is_name() {
                by_name.entry(pattern.to_string()).or_insert(place);
            } else {
                with_stars.push(place);
            }
        }
        Chart { rules, by_name, with_stars }
    }
}

impl From<Chart> for Vec<ChartRule> {
    fn from(chart: Chart) -> Vec<ChartRule> {
        chart.rules
    }
}
