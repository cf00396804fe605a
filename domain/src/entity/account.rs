//! An account as decisions see it.

use std::sync::Arc;

use recount_events::ledger::{
    AccountKind, AccountOpened, Asset, BalanceLimit, Direction, FreezeScope, LimitAmount, Metadata, Overdraft,
};
use serde::{Deserialize, Serialize};

use crate::balance::Balance;

/// Every transaction copies the account to change it, so the parts that seldom change are shared between the copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The original event, to compare a repeated command with.
    pub opened: Arc<AccountOpened>,
    pub terms: Arc<Terms>,
    pub frozen_debits: bool,
    pub frozen_credits: bool,
    pub closed: bool,
    /// Sorted by asset. A list instead of a tree: most accounts have one or two, and each change copies it.
    pub balances: Vec<(Asset, Balance)>,
}

/// The current overdraft, limits and metadata of an account.
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
        self.index(asset).map(|index| self.balances[index].1).unwrap_or_default()
    }

    /// The index of the balance in the asset, or the index to insert it at.
    fn index(&self, asset: &Asset) -> Result<usize, usize> {
        self.balances.binary_search_by(|(other, _)| other.cmp(asset))
    }

    /// Whether the account may hold the asset.
    pub fn may_hold(&self, asset: &Asset) -> bool {
        self.opened.assets.is_empty() || self.opened.assets.contains(asset)
    }

    /// The least available balance in the asset: negative if the account has an overdraft, `None` if it is unlimited.
    pub fn minimum(&self, asset: &Asset) -> Option<i128> {
        let allowed = match &self.terms.overdraft {
            Overdraft::None => Some(0),
            Overdraft::Unlimited => None,
            Overdraft::Limited(limits) => {
                let limit = limits.iter().find(|limit| limit.asset == *asset);
                Some(limit.map_or(0, |limit| limit.amount.minor_units().saturating_neg()))
            }
        };
        let minimum = self.limit(asset).and_then(|limit| limit.minimum).map(LimitAmount::minor_units);
        allowed.max(minimum)
    }

    /// The greatest sum of posted and incoming in the asset; `None` if it is unlimited.
    pub fn maximum(&self, asset: &Asset) -> Option<i128> {
        self.limit(asset)?.maximum.map(LimitAmount::minor_units)
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
        let index = self.index(asset).unwrap_or_else(|index| {
            self.balances.insert(index, (asset.clone(), Balance::default()));
            index
        });
        &mut self.balances[index].1
    }
}
