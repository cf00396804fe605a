//! Commands on accounts.

use recount_domain::{Command, OpenAccount};
use recount_events::ledger::FreezeScope;
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, parsed};
use super::free_json::MetadataData;
use super::policies::{self, BalanceLimitData, KindData, OverdraftData};

/// Opens an account. If the ledger has a chart, omitted members come from the chart's rule for the name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct OpenAccountData {
    /// 1 to 16 segments joined by `:`.
    #[schema(example = "users:alice:main")]
    account: String,
    /// May be omitted if the chart sets it.
    kind: Option<KindData>,
    /// How far below zero the balance may go, on the account's normal side. Default: as the chart says; without a
    /// chart, `"none"`.
    overdraft: Option<OverdraftData>,
    /// The minimum and maximum balance, by asset. Default: as the chart says; without a chart, no limits.
    #[schema(max_items = 100)]
    limits: Option<Vec<BalanceLimitData>>,
    /// The assets that the account may hold, including those of its limits and its overdraft. Default: as the chart
    /// says; without a chart, any.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["USD/2"]))]
    assets: Vec<String>,
    /// Free-form JSON, at most 8 KiB.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: MetadataData,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// An account, and the side to freeze or unfreeze: debits, credits or both. Default `both`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct FreezeData {
    #[schema(example = "users:alice:main")]
    account: String,
    #[serde(default)]
    scope: ScopeData,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", rename_all = "lowercase")]
pub(super) enum ScopeData {
    Debits,
    Credits,
    #[default]
    Both,
}

/// Closes an account permanently. Its balance must be zero in every asset, and no hold may be open on it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct CloseAccountData {
    #[schema(example = "users:alice:main")]
    account: String,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Sets how far below zero an account may go, on its normal side.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetOverdraftPolicyData {
    #[schema(example = "users:alice:main")]
    account: String,
    overdraft: OverdraftData,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Sets the limits of an account; they replace all earlier ones.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetBalanceLimitsData {
    #[schema(example = "users:alice:main")]
    account: String,
    #[schema(max_items = 100)]
    limits: Vec<BalanceLimitData>,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

impl OpenAccountData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let assets = policies::assets(&self.assets, "/assets")?;
        let overdraft = self.overdraft.map(|overdraft| overdraft.into_overdraft("/overdraft", &assets));
        let limits = self.limits.map(|limits| policies::limits(limits, "/limits", &assets));
        Ok(Command::OpenAccount(OpenAccount {
            account: parsed("/account", &self.account)?,
            kind: self.kind.map(Into::into),
            overdraft: overdraft.transpose()?,
            limits: limits.transpose()?,
            assets,
            metadata: self.metadata.into_metadata()?,
        }))
    }
}

impl FreezeData {
    pub(in crate::ledger) fn freeze(self) -> Result<Command, FormError> {
        Ok(Command::FreezeAccount { account: parsed("/account", &self.account)?, scope: self.scope.into() })
    }

    pub(in crate::ledger) fn unfreeze(self) -> Result<Command, FormError> {
        Ok(Command::UnfreezeAccount { account: parsed("/account", &self.account)?, scope: self.scope.into() })
    }
}

impl CloseAccountData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::CloseAccount { account: parsed("/account", &self.account)? })
    }
}

impl SetOverdraftPolicyData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::SetOverdraftPolicy {
            account: parsed("/account", &self.account)?,
            overdraft: self.overdraft.into_overdraft("/overdraft", &[])?,
        })
    }
}

impl SetBalanceLimitsData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::SetBalanceLimits {
            account: parsed("/account", &self.account)?,
            limits: policies::limits(self.limits, "/limits", &[])?,
        })
    }
}

impl From<ScopeData> for FreezeScope {
    fn from(scope: ScopeData) -> FreezeScope {
        match scope {
            ScopeData::Debits => FreezeScope::Debits,
            ScopeData::Credits => FreezeScope::Credits,
            ScopeData::Both => FreezeScope::Both,
        }
    }
}

recount_service_kit::objects!(
    CloseAccountData,
    FreezeData,
    OpenAccountData,
    SetBalanceLimitsData,
    SetOverdraftPolicyData
);
command_data!(OpenAccountData, FreezeData, CloseAccountData, SetOverdraftPolicyData, SetBalanceLimitsData);
recount_service_kit::words!(ScopeData);
