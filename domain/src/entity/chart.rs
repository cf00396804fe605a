//! The chart of accounts as decisions see it.

use std::collections::HashMap;

use recount_events::ledger::{AccountName, ChartRule};
use serde::{Deserialize, Serialize};

/// The rules for new accounts. Rules without wildcards are indexed by name, because every new account is looked up here;
/// rules with wildcards are few, and searched in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<ChartRule>", into = "Vec<ChartRule>")]
pub struct Chart {
    rules: Vec<ChartRule>,
    /// The index of the first rule for each name.
    by_name: HashMap<String, usize>,
    /// The indices of the rules with wildcards, in their order.
    with_wildcards: Vec<usize>,
}

impl Chart {
    pub fn rules(&self) -> &[ChartRule] {
        &self.rules
    }

    /// The first rule that matches the account.
    pub fn rule(&self, account: &AccountName) -> Option<&ChartRule> {
        let named = self.by_name.get(account.as_str()).copied();
        let before = named.unwrap_or(self.rules.len());
        let mut others = self.with_wildcards.iter().copied().take_while(|index| *index < before);
        let index = others.find(|index| self.rules[*index].pattern.matches(account)).or(named)?;
        Some(&self.rules[index])
    }
}

impl From<Vec<ChartRule>> for Chart {
    fn from(rules: Vec<ChartRule>) -> Chart {
        let mut by_name = HashMap::new();
        let mut with_wildcards = Vec::new();
        for (index, ChartRule { pattern, .. }) in rules.iter().enumerate() {
            if pattern.is_name() {
                by_name.entry(pattern.to_string()).or_insert(index);
            } else {
                with_wildcards.push(index);
            }
        }
        Chart { rules, by_name, with_wildcards }
    }
}

impl From<Chart> for Vec<ChartRule> {
    fn from(chart: Chart) -> Vec<ChartRule> {
        chart.rules
    }
}
