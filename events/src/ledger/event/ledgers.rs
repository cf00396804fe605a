//! The book itself: what it counts, when it may be written, how its accounts may be named.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ledger::{Asset, ChartRule, EffectiveWindow};

/// The book was opened. Always the first event of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerCreated {
    pub ledger: String,
}

/// The ledger counts this asset from now on, in this scale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssetRegistered {
    pub asset: Asset,
}

/// How far from now an effective time may be, from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EffectiveWindowSet {
    pub window: EffectiveWindow,
}

/// Nothing takes effect at this time or before it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeriodClosed {
    pub through: DateTime<Utc>,
}

/// From this time on things take effect again; what is before it stays closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeriodReopened {
    pub from: DateTime<Utc>,
}

/// From now on an account is opened only by a name that one of these rules allows; the first that does counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartSet {
    pub rules: Vec<ChartRule>,
}

/// Accounts may have any name from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartRemoved {}
