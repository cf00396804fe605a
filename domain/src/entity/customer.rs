//! A customer as decisions see it.

use recount_events::ledger::{Metadata, Profile};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The original registration, to compare a repeated command with.
    pub registered: CustomerData,
    pub current: CustomerData,
    pub forgotten: bool,
}

/// The profile and metadata of a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerData {
    pub profile: Profile,
    pub metadata: Metadata,
}

impl Customer {
    pub(super) fn registered(profile: &Profile, metadata: &Metadata) -> Customer {
        let data = CustomerData { profile: profile.clone(), metadata: metadata.clone() };
        Customer { registered: data.clone(), current: data, forgotten: false }
    }

    pub(super) fn forget(&mut self) {
        self.registered = CustomerData::default();
        self.current = CustomerData::default();
        self.forgotten = true;
    }
}
