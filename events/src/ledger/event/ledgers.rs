//! Events of the ledger itself: its assets, its effective times and its chart of accounts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::data::EventData;
use super::tag;
use crate::ledger::names::Asset;
use crate::ledger::policy::{ChartRule, EffectiveWindow};
use recount_core::Tag;

/// The ledger was created. Always the first event of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerCreated {
    pub ledger: String,
}

impl EventData for LedgerCreated {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::ledger()]
    }
}

/// An asset was registered with its scale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssetRegistered {
    pub asset: Asset,
}

impl EventData for AssetRegistered {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::asset(&self.asset)]
    }
}

/// The window of accepted effective times was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EffectiveWindowSet {
    pub window: EffectiveWindow,
}

impl EventData for EffectiveWindowSet {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::ledger()]
    }
}

/// The books were closed: effective times up to and including `through` are rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeriodClosed {
    pub through: DateTime<Utc>,
}

impl EventData for PeriodClosed {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::ledger()]
    }
}

/// The books were reopened: effective times from `from` on are accepted again. Earlier times remain closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeriodReopened {
    pub from: DateTime<Utc>,
}

impl EventData for PeriodReopened {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::ledger()]
    }
}

/// The time of the ledger, which had run ahead of the true one, was set back. This event is the first one that is recorded
/// at the true time; no other event is recorded at an earlier time than the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimeCorrected {
    /// When the event before this one was recorded, by a clock that was ahead.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl EventData for TimeCorrected {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::ledger()]
    }
}

/// The chart of accounts was replaced. A new account needs a name that one of the rules allows; the first rule that
/// matches applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartSet {
    pub rules: Vec<ChartRule>,
}

impl EventData for ChartSet {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::ledger()]
    }
}

/// The chart of accounts was removed. A new account may have any name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartRemoved {}

impl EventData for ChartRemoved {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::ledger()]
    }
}
