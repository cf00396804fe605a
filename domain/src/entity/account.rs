//! An account as the decider sees it.

use std::sync::Arc;

use recount_events::ledger::{
    AccountKind, AccountOpened, Asset, BalanceLimit, Bound, Direction, FreezeScope, Metadata, Overdraft,
};
use serde::{Deserialize, Serialize};

use crate::balance::Balance;

/// Every transaction changes it, and so copies it: what seldom changes is shared between the copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// As it was opened: a repeated opening is compared with it.
    pub opened: Arc<AccountOpened>,
    pub terms: Arc<Terms>,
    pub frozen_debits: bool,
    pub frozen_credits: bool,
    pub closed: bool,
    /// In the order of the assets. A list and not a tree: most accounts have one or two, and each change copies it.
    pub balances: Vec<(Asset, Balance)>,
}

/// What an account may do now, and what is noted about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub overdraft: Overdraft,
    pub limits: Vec<BalanceLimit>,
    pub metadata: Metadata,
}

impl Account {
    pub(crate) fn opened(event: AccountOpened) -> Account {
        let terms = Terms {
            overdraft: event.overdraft.clone(),
            limits: event.limits.clone(),
            metadata: event.metadata.clone(),
        };
        Account {
            opened: Arc::new(event),
            terms: Arc::new(terms),
            frozen_debits: false,
            frozen_credits: false,
            closed: false,
            balances: Vec::new(),
        }
    }

    pub fn kind(&self) -> AccountKind {
        self.opened.kind
    }

    pub fn frozen_for(&self, direction: Direction) -> bool {
        match direction {
            Direction::Debit => self.frozen_debits,
            Direction::Credit => self.frozen_credits,
        }
    }

    pub fn balance(&self, asset: &Asset) -> Balance {
        self.place(asset).map(|place| self.balances[place].1).unwrap_or_default()
    }

    /// Where the balance in the asset is, or where it belongs.
    fn place(&self, asset: &Asset) -> Result<usize, usize> {
        self.balances.binary_search_by(|(other, _)| other.cmp(asset))
    }

    /// Whether it may hold the asset.
    pub fn takes(&self, asset: &Asset) -> bool {
        self.opened.assets.is_empty() || self.opened.assets.contains(asset)
    }

    /// The least that must be available in the asset; `None` is no bound. Negative where the account has an overdraft.
    pub fn minimum(&self, asset: &Asset) -> Option<i128> {
        let allowed = match &self.terms.overdraft {
            Overdraft::None => Some(0),
            Overdraft::Unlimited => None,
            Overdraft::Limited(limits) => {
                let limit = limits.iter().find(|limit| limit.asset == *asset);
                Some(limit.map_or(0, |limit| limit.amount.minor_units().saturating_neg()))
            }
        };
        let must_stay = self.limit(asset).and_then(|limit| limit.minimum).map(Bound::minor_units);
        allowed.max(must_stay)
    }

    /// The most that may be posted and incoming in the asset; `None` is no bound.
    pub fn maximum(&self, asset: &Asset) -> Option<i128> {
        self.limit(asset)?.maximum.map(Bound::minor_units)
    }

    fn limit(&self, asset: &Asset) -> Option<&BalanceLimit> {
        self.terms.limits.iter().find(|limit| limit.asset == *asset)
    }

    pub(super) fn set_frozen(&mut self, scope: FreezeScope, frozen: bool) {
        if scope.covers(Direction::Debit) {
            self.frozen_debits = frozen;
        }
        if scope.covers(Direction::Credit) {
            self.frozen_credits = frozen;
        }
    }

    pub(super) fn balance_mut(&mut self, asset: &Asset) -> &mut Balance {
        let place = self.place(asset).unwrap_or_else(|place| {
            self.balances.insert(place, (asset.clone(), Balance::default()));
            place
        });
        &mut self.balances[place].1
    }
}
