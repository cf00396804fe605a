//! How rejections show times and lists.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use recount_events::ledger::Asset;

/// A time, displayed as in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub DateTime<Utc>);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// Assets, displayed with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetList(pub Vec<Asset>);

impl fmt::Display for AssetList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Asset::as_str).collect();
        f.write_str(&names.join(", "))
    }
}
