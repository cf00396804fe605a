//! The entities of a ledger, and how events change them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_events::Tag;
use recount_events::ledger::{
    AccountKind, AccountName, AccountOpened, Asset, Direction, Entry, FreezeScope, LedgerEvent, Metadata,
    Overdraft, Reference, TransactionId, TransactionPosted, tag,
};
use serde::{Deserialize, Serialize};

/// The state of whatever a tag names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    /// The ledger was created.
    Ledger,
    /// The ledger counts the asset, like this.
    Asset(Asset),
    Account(Account),
    Transaction(Box<Transaction>),
    /// The transaction that has the reference.
    Reference(TransactionId),
}

/// An account as the decider sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub kind: AccountKind,
    /// As it was when the account was opened: a repeated opening is compared with it.
    pub opened_overdraft: Overdraft,
    pub overdraft: Overdraft,
    pub metadata: Metadata,
    pub frozen_debits: bool,
    pub frozen_credits: bool,
    pub closed: bool,
    pub balances: BTreeMap<Asset, Balance>,
}

/// What was posted to an account in one asset: the sums of both sides, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    #[serde(with = "as_text")]
    pub debits: i128,
    #[serde(with = "as_text")]
    pub credits: i128,
}

/// A transaction as the decider sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    pub entries: Vec<Entry>,
    pub effective_at: DateTime<Utc>,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
    pub reverses: Option<TransactionId>,
    pub reversed_by: Option<TransactionId>,
}

impl Balance {
    /// The posted balance on the normal side of an account of this kind.
    pub fn posted(self, kind: AccountKind) -> i128 {
        match kind.normal_side() {
            Direction::Debit => self.debits - self.credits,
            Direction::Credit => self.credits - self.debits,
        }
    }

    /// The sums with an entry added, if they can still be counted.
    pub fn with(self, entry: &Entry) -> Option<Balance> {
        let amount = entry.amount.minor_units();
        Some(match entry.direction {
            Direction::Debit => Balance { debits: self.debits.checked_add(amount)?, ..self },
            Direction::Credit => Balance { credits: self.credits.checked_add(amount)?, ..self },
        })
    }
}

impl Account {
    fn opened(event: &AccountOpened) -> Account {
        Account {
            kind: event.kind,
            opened_overdraft: event.overdraft.clone(),
            overdraft: event.overdraft.clone(),
            metadata: event.metadata.clone(),
            frozen_debits: false,
            frozen_credits: false,
            closed: false,
            balances: BTreeMap::new(),
        }
    }

    pub fn frozen_for(&self, direction: Direction) -> bool {
        match direction {
            Direction::Debit => self.frozen_debits,
            Direction::Credit => self.frozen_credits,
        }
    }

    /// What was posted in this asset.
    pub fn balance(&self, asset: &Asset) -> Balance {
        self.balances.get(asset).copied().unwrap_or_default()
    }

    fn set_frozen(&mut self, scope: FreezeScope, frozen: bool) {
        if scope.covers(Direction::Debit) {
            self.frozen_debits = frozen;
        }
        if scope.covers(Direction::Credit) {
            self.frozen_credits = frozen;
        }
    }

    fn post(&mut self, entry: &Entry) {
        let balance = self.balances.entry(entry.asset.clone()).or_default();
        // History is fact: sums that cannot be counted were never recorded by `decide`.
        *balance = balance.with(entry).unwrap_or(*balance);
    }
}

/// Where a decision finds the entities that it needs.
pub struct States<'a> {
    find: &'a dyn Fn(&Tag) -> Option<&'a Entity>,
}

impl std::fmt::Debug for States<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("States")
    }
}

impl<'a> States<'a> {
    /// States that are found by this function; `None` is an entity that nothing has happened to.
    pub fn new(find: &'a dyn Fn(&Tag) -> Option<&'a Entity>) -> States<'a> {
        States { find }
    }

    pub fn ledger_exists(&self) -> bool {
        matches!((self.find)(&tag::ledger()), Some(Entity::Ledger))
    }

    /// What the ledger counts under the code of this asset.
    pub fn asset(&self, asset: &Asset) -> Option<&'a Asset> {
        match (self.find)(&tag::asset(asset)) {
            Some(Entity::Asset(registered)) => Some(registered),
            _ => None,
        }
    }

    pub fn account(&self, account: &AccountName) -> Option<&'a Account> {
        match (self.find)(&tag::account(account)) {
            Some(Entity::Account(account)) => Some(account),
            _ => None,
        }
    }

    pub fn transaction(&self, transaction: &TransactionId) -> Option<&'a Transaction> {
        match (self.find)(&tag::transaction(transaction)) {
            Some(Entity::Transaction(transaction)) => Some(transaction),
            _ => None,
        }
    }

    /// The transaction that has this reference.
    pub fn reference(&self, reference: &Reference) -> Option<&'a TransactionId> {
        match (self.find)(&tag::reference(reference)) {
            Some(Entity::Reference(transaction)) => Some(transaction),
            _ => None,
        }
    }
}

/// Folds an event into the entity that `tag` names. Total: an event that says nothing about the entity leaves it.
pub fn evolve(tag: &Tag, state: &mut Option<Entity>, event: &LedgerEvent) {
    match event {
        LedgerEvent::LedgerCreated(_) => *state = Some(Entity::Ledger),
        LedgerEvent::AssetRegistered(event) => *state = Some(Entity::Asset(event.asset.clone())),
        LedgerEvent::AccountOpened(event) => *state = Some(Entity::Account(Account::opened(event))),
        LedgerEvent::AccountFrozen(event) => {
            with_account(state, |account| account.set_frozen(event.scope, true))
        }
        LedgerEvent::AccountUnfrozen(event) => {
            with_account(state, |account| account.set_frozen(event.scope, false))
        }
        LedgerEvent::AccountClosed(_) => with_account(state, |account| account.closed = true),
        LedgerEvent::OverdraftPolicySet(event) => {
            with_account(state, |account| account.overdraft = event.overdraft.clone());
        }
        LedgerEvent::TransactionPosted(event) => evolve_by_transaction(tag, state, event),
    }
}

fn with_account(state: &mut Option<Entity>, change: impl FnOnce(&mut Account)) {
    if let Some(Entity::Account(account)) = state {
        change(account);
    }
}

fn evolve_by_transaction(tag: &Tag, state: &mut Option<Entity>, event: &TransactionPosted) {
    let (kind, name) = tag.parts();
    match kind {
        tag::ACCOUNT => with_account(state, |account| {
            event
                .entries
                .iter()
                .filter(|entry| entry.account.as_str() == name)
                .for_each(|entry| account.post(entry));
        }),
        tag::REFERENCE => *state = Some(Entity::Reference(event.transaction.clone())),
        tag::TRANSACTION if event.transaction.as_str() == name => {
            *state = Some(Entity::Transaction(Box::new(Transaction {
                entries: event.entries.clone(),
                effective_at: event.effective_at,
                reference: event.reference.clone(),
                metadata: event.metadata.clone(),
                reverses: event.reverses.clone(),
                reversed_by: None,
            })));
        }
        tag::TRANSACTION => {
            if let Some(Entity::Transaction(transaction)) = state {
                transaction.reversed_by = Some(event.transaction.clone());
            }
        }
        _ => {}
    }
}

/// `i128` as text: JSON numbers end at 2^53 for most of its readers.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
