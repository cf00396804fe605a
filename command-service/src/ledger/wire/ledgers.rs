//! Commands on the ledger itself: its assets, effective times, periods and chart of accounts.

use std::collections::HashMap;

use recount_domain::Command;
use recount_events::ledger::{ChartRule, EffectiveWindow};
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, at_most, last_moment, moment, parsed, parsed_in};
use super::policies::{self, BalanceLimitData, KindData, OverdraftData};

/// Rules in a chart: the chart is kept in memory and searched for every account that is opened.
const CHART_RULES_MAX: usize = 1_000;
/// Rules with a wildcard, which take longer to compare.
const CHART_PATTERNS_MAX: usize = 100;
/// Limits and assets of all rules together: the chart is in every event that sets it and in every snapshot of the ledger.
const CHART_LIMITS_AND_ASSETS_MAX: usize = 10_000;

/// Registers an asset with its scale. A ledger accepts each asset code in one scale only.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct RegisterAssetData {
    /// `CODE/SCALE`; the scale is the number of decimal places: `USD/2` is counted in cents.
    #[schema(example = "USD/2")]
    asset: String,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Limits how far an effective time may lie from the day of recording, in whole UTC days. A limit that is omitted or
/// null does not apply.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetEffectiveWindowData {
    /// Days in the past; 0 accepts nothing that takes effect before today.
    #[schema(example = 30)]
    past_days: Option<u32>,
    /// Days in the future; 0 accepts nothing that takes effect after today.
    #[schema(example = 7)]
    future_days: Option<u32>,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Closes the books: nothing more can take effect in the period or before it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ClosePeriodData {
    /// The end of the period, inclusive, which must be in the past: RFC 3339, or a date, meaning the end of that day in
    /// UTC.
    #[schema(example = "2026-10-31")]
    through: String,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Reopens the books for everything that takes effect at or after a time. Everything before it stays closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ReopenPeriodData {
    /// RFC 3339, or a date, meaning its midnight in UTC.
    #[schema(example = "2026-10-01")]
    from: String,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Sets which accounts may be opened: those whose name matches a rule. The first matching rule applies. Existing
/// accounts do not change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetChartData {
    #[schema(min_items = 1, max_items = 1_000)]
    rules: Vec<ChartRuleData>,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// A pattern of account names, and the properties of accounts that match it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ChartRuleData {
    /// An account name in which any segment may be `*`, which matches any one segment, and the last may be `**`, which
    /// matches one or more.
    #[schema(example = "users:*:main")]
    pattern: String,
    /// The kind of a matching account.
    kind: KindData,
    /// The overdraft of a matching account, unless the command that opens it sets one.
    #[serde(default)]
    overdraft: OverdraftData,
    /// The limits of a matching account, unless the command that opens it sets them.
    #[serde(default)]
    #[schema(max_items = 100)]
    limits: Vec<BalanceLimitData>,
    /// The assets that a matching account may hold. Default: any.
    #[serde(default)]
    #[schema(max_items = 100)]
    assets: Vec<String>,
    /// Whether the first transaction or hold that names a matching account opens it.
    #[serde(default)]
    opens_on_first_use: bool,
}

/// Removes the chart: accounts of any name may be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct RemoveChartData {
    /// Conditions on balances. If one does not hold, the command is rejected.
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
            let reason = "a chart has at least one rule; to remove the chart, send `remove-chart`";
            return Err(FormError::new("/rules", reason));
        }
        at_most("/rules", &self.rules, CHART_RULES_MAX, "rules")?;
        let patterns = self.rules.iter().filter(|rule| rule.pattern.contains('*')).count();
        if patterns > CHART_PATTERNS_MAX {
            let reason =
                format!("at most {CHART_PATTERNS_MAX} rules may have a `*`, and {patterns} have one");
            return Err(FormError::new("/rules", reason));
        }
        let details: usize = self.rules.iter().map(|rule| rule.limits.len() + rule.assets.len()).sum();
        if details > CHART_LIMITS_AND_ASSETS_MAX {
            let reason = format!(
                "the rules of a chart may have {CHART_LIMITS_AND_ASSETS_MAX} limits and assets together, and these have \
                 {details}"
            );
            return Err(FormError::new("/rules", reason));
        }
        let rules = self.rules.into_iter().enumerate().map(|(n, rule)| rule.into_rule(n));
        let rules: Vec<ChartRule> = rules.collect::<Result<_, _>>()?;
        check_patterns_differ(&rules)?;
        Ok(Command::SetChart { rules })
    }
}

/// The first matching rule applies, so a second rule with the same pattern never would.
fn check_patterns_differ(rules: &[ChartRule]) -> Result<(), FormError> {
    let mut first = HashMap::with_capacity(rules.len());
    for (n, rule) in rules.iter().enumerate() {
        if let Some(other) = first.insert(&rule.pattern, n) {
            let reason =
                format!("the rule with index {other} has the same pattern, so this rule would never apply");
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

recount_service_kit::objects!(
    ChartRuleData,
    ClosePeriodData,
    RegisterAssetData,
    RemoveChartData,
    ReopenPeriodData,
    SetChartData,
    SetEffectiveWindowData
);
command_data!(
    RegisterAssetData,
    SetEffectiveWindowData,
    ClosePeriodData,
    ReopenPeriodData,
    SetChartData,
    RemoveChartData
);
