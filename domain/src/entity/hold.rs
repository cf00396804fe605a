//! A hold as decisions see it.

use chrono::{DateTime, Utc};
use recount_events::ledger::{Amount, HoldPlaced};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub placed: HoldPlaced,
    /// The amount still held; `None` once the hold is closed.
    pub remaining: Option<Amount>,
    pub status: HoldStatus,
}

/// The status of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldStatus {
    Open,
    /// Captured in full, or in part by a final capture.
    Captured,
    /// The remaining amount was released.
    Released,
    /// The deadline passed, and the remaining amount was released.
    Expired,
}

impl Hold {
    pub(super) fn placed(event: &HoldPlaced) -> Hold {
        Hold { placed: event.clone(), remaining: Some(event.amount), status: HoldStatus::Open }
    }

    pub(super) fn close(&mut self, status: HoldStatus) {
        self.remaining = None;
        self.status = status;
    }

    /// Whether the deadline has passed.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.placed.expires_at.is_some_and(|deadline| deadline <= now)
    }
}

impl std::fmt::Display for HoldStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            HoldStatus::Open => "open",
            HoldStatus::Captured => "captured",
            HoldStatus::Released => "released",
            HoldStatus::Expired => "expired",
        })
    }
}
