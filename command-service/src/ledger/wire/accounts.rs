//! Commands on accounts.

use recount_domain::{Command, OpenAccount};
use recount_events::ledger::FreezeScope;
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, parsed};
use super::free_json::MetadataData;
use super::policies::{self, BalanceLimitData, KindData, OverdraftData};

/// Opens an account. What is left out comes from the chart's rule for the name, if the ledger has a chart.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct OpenAccountData {
    /// 1 to 16 segments joined by `:`.
    #[schema(example = "users:alice:main")]
    account: String,
    /// May be left out where a chart gives it.
    kind: Option<KindData>,
    /// How far below zero the balance may go, on the account's normal side. If it is left out, what the chart says, and
    /// without a chart not at all.
    overdraft: Option<OverdraftData>,
    /// What must stay, and the most that there may be, by asset. If it is left out, what the chart says, and without a
    /// chart no limits.
    #[schema(max_items = 100)]
    limits: Option<Vec<BalanceLimitData>>,
    /// The assets that the account may hold, those of its limits and its overdraft among them. If there are none, those
    /// that the chart says, and without a chart any.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["USD/2"]))]
    assets: Vec<String>,
    /// Free JSON, 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: MetadataData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// An account, and the side for which it is frozen or taken again: debits, credits, or both, if nothing is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct FreezeData {
    #[schema(example = "users:alice:main")]
    account: String,
    #[serde(default)]
    scope: ScopeData,
    /// What balances must be for the command to be taken.
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

/// Closes an account for good. It must be at zero in every asset, and no hold may be open on it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct CloseAccountData {
    #[schema(example = "users:alice:main")]
    account: String,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Sets how far below zero an account may go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetOverdraftPolicyData {
    #[schema(example = "users:alice:main")]
    account: String,
    overdraft: OverdraftData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Sets an account's limits: these, and no others.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetBalanceLimitsData {
    #[schema(example = "users:alice:main")]
    account: String,
    #[schema(max_items = 100)]
    limits: Vec<BalanceLimitData>,
    /// What balances must be for the command to be taken.
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

objects!(CloseAccountData, FreezeData, OpenAccountData, SetBalanceLimitsData, SetOverdraftPolicyData);
expects!(OpenAccountData, FreezeData, CloseAccountData, SetOverdraftPolicyData, SetBalanceLimitsData);
words!(ScopeData);
