//! A customer as the decider sees it.

use recount_events::ledger::{Metadata, Profile};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// As it was registered: a repeated registration is compared with it.
    pub registered: Description,
    pub current: Description,
    pub forgotten: bool,
}

/// What is known about a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub profile: Profile,
    pub metadata: Metadata,
}

impl Customer {
    pub(super) fn registered(profile: &Profile, metadata: &Metadata) -> Customer {
        let description = Description { profile: profile.clone(), metadata: metadata.clone() };
        Customer { registered: description.clone(), current: description, forgotten: false }
    }

    pub(super) fn forget(&mut self) {
        self.registered = Description::default();
        self.current = Description::default();
        self.forgotten = true;
    }
}
