//! Commands on the book itself: what it counts, which times it takes, how accounts may be named.

use std::collections::HashMap;

use recount_domain::Command;
use recount_events::ledger::{ChartRule, EffectiveWindow};
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, at_most, last_moment, moment, parsed, parsed_in};
use super::policies::{self, BalanceLimitData, KindData, OverdraftData};

/// The most rules that a chart can have: it is kept in memory, and gone through for every account that is opened.
const CHART_RULES_MAX: usize = 1_000;
/// The most of them that stand for more than one name: those take longer to compare.
const CHART_PATTERNS_MAX: usize = 100;

/// Makes the ledger count an asset in a scale. A ledger counts a code in one scale only.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct RegisterAssetData {
    /// `CODE/SCALE`: the scale is the number of decimals in which amounts are counted.
    #[schema(example = "USD/2")]
    asset: String,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Bounds how far from the day of recording an effective time may be, in whole days of UTC. What is left out, or null,
/// is without bound.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetEffectiveWindowData {
    /// 0 takes nothing that is effective before today.
    #[schema(example = 30)]
    past_days: Option<u32>,
    /// 0 takes nothing that is effective after today.
    #[schema(example = 7)]
    future_days: Option<u32>,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Closes the books: nothing takes effect in the period or before it any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ClosePeriodData {
    /// The last moment of the period, which must be over: RFC 3339, or a date, which is the whole of its day in UTC.
    #[schema(example = "2026-10-31")]
    through: String,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Opens the books again for everything that takes effect from a time on. What is before it stays closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ReopenPeriodData {
    /// RFC 3339, or a date, which is its midnight in UTC.
    #[schema(example = "2026-10-01")]
    from: String,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Says what accounts may be opened: those that a rule allows. The first rule that allows a name counts. Accounts that
/// are there stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetChartData {
    #[schema(min_items = 1, max_items = 1_000)]
    rules: Vec<ChartRuleData>,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Which names accounts may have, and what they are then.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ChartRuleData {
    /// An account name in which any segment may be `*`, for one segment whatever it is, and the last one `**`, for one
    /// or more.
    #[schema(example = "users:*:main")]
    pattern: String,
    /// An account of such a name is of this kind.
    kind: KindData,
    /// The overdraft of such an account, unless the command that opens it says otherwise.
    #[serde(default)]
    overdraft: OverdraftData,
    /// Its limits, unless the command that opens it says otherwise.
    #[serde(default)]
    #[schema(max_items = 100)]
    limits: Vec<BalanceLimitData>,
    /// The assets that it may hold; any, if there are none.
    #[serde(default)]
    #[schema(max_items = 100)]
    assets: Vec<String>,
    /// Whether the first transaction or hold that names it opens it.
    #[serde(default)]
    opens_on_first_use: bool,
}

/// Lets there be any account again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct RemoveChartData {
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

impl RegisterAssetData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::RegisterAsset { asset: parsed("/asset", &self.asset)? })
    }
}

impl SetEffectiveWindowData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let window = EffectiveWindow { past_days: self.past_days, future_days: self.future_days };
        Ok(Command::SetEffectiveWindow { window })
    }
}

impl ClosePeriodData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::ClosePeriod { through: last_moment("/through", &self.through)? })
    }
}

impl ReopenPeriodData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::ReopenPeriod { from: moment("/from", &self.from)? })
    }
}

impl SetChartData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        if self.rules.is_empty() {
            let reason = "a chart has one rule at least; the command remove-chart takes the chart away";
            return Err(FormError::new("/rules", reason));
        }
        at_most("/rules", &self.rules, CHART_RULES_MAX, "rules")?;
        let patterns = self.rules.iter().filter(|rule| rule.pattern.contains('*')).count();
        if patterns > CHART_PATTERNS_MAX {
            let reason =
                format!("there are {CHART_PATTERNS_MAX} rules with `*` at most, and these are {patterns}");
            return Err(FormError::new("/rules", reason));
        }
        let rules = self.rules.into_iter().enumerate().map(|(n, rule)| rule.into_rule(n));
        let rules: Vec<ChartRule> = rules.collect::<Result<_, _>>()?;
        each_can_count(&rules)?;
        Ok(Command::SetChart { rules })
    }
}

/// The first rule that fits counts, so a second one of the same pattern never would.
fn each_can_count(rules: &[ChartRule]) -> Result<(), FormError> {
    let mut first = HashMap::with_capacity(rules.len());
    for (n, rule) in rules.iter().enumerate() {
        if let Some(other) = first.insert(&rule.pattern, n) {
            let reason = format!(
                "the rule with the index {other} has this pattern too, so this one would never count"
            );
            return Err(FormError::new(format!("/rules/{n}/pattern"), reason));
        }
    }
    Ok(())
}

impl ChartRuleData {
    fn into_rule(self, n: usize) -> Result<ChartRule, FormError> {
        let assets = policies::assets(&self.assets, &format!("/rules/{n}/assets"))?;
        Ok(ChartRule {
            pattern: parsed_in("rules", n, "pattern", &self.pattern)?,
            kind: self.kind.into(),
            overdraft: self.overdraft.into_overdraft(&format!("/rules/{n}/overdraft"), &assets)?,
            limits: policies::limits(self.limits, &format!("/rules/{n}/limits"), &assets)?,
            assets,
            opens_on_first_use: self.opens_on_first_use,
        })
    }
}

impl RemoveChartData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::RemoveChart)
    }
}

objects!(
    ChartRuleData,
    ClosePeriodData,
    RegisterAssetData,
    RemoveChartData,
    ReopenPeriodData,
    SetChartData,
    SetEffectiveWindowData
);
expects!(
    RegisterAssetData,
    SetEffectiveWindowData,
    ClosePeriodData,
    ReopenPeriodData,
    SetChartData,
    RemoveChartData
);
