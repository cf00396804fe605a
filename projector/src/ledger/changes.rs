//! What a batch of events changes, folded in memory. Pure.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use recount_events::Position;
use recount_events::ledger::{
    AccountKind, AccountName, AccountOpened, Amount, Asset, Direction, Entry, FreezeScope, LedgerEvent,
    Metadata, Overdraft, TransactionId, TransactionPosted,
};

/// The rows to insert and the changes to rows that are there.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) ledgers: Vec<NewLedger>,
    pub(super) assets: Vec<NewAsset>,
    pub(super) accounts: Vec<AccountChange>,
    pub(super) pairs: Vec<Pair>,
    pub(super) transactions: Vec<NewTransaction>,
    pub(super) entries: Vec<NewEntry>,
    account_index: HashMap<AccountName, usize>,
    pair_index: HashMap<(usize, Asset), usize>,
}

#[derive(Debug)]
pub(super) struct NewLedger {
    pub(super) ledger: String,
    pub(super) position: Position,
    pub(super) recorded_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct NewAsset {
    pub(super) asset: Asset,
    pub(super) position: Position,
}

/// An account that the batch concerns: opened in it, changed, or posted to.
#[derive(Debug)]
pub(super) struct AccountChange {
    pub(super) account: AccountName,
    pub(super) opened: Option<Opened>,
    pub(super) overdraft: Option<String>,
    pub(super) frozen_debits: Option<bool>,
    pub(super) frozen_credits: Option<bool>,
    pub(super) closed: Option<bool>,
    /// The last event about the account itself; `None` if transactions are all that concerns it.
    pub(super) position: Option<Position>,
}

#[derive(Debug)]
pub(super) struct Opened {
    pub(super) kind: AccountKind,
    pub(super) metadata: String,
    pub(super) position: Position,
    pub(super) recorded_at: DateTime<Utc>,
}

/// An account in one asset, with its posted totals. They start at zero and are set right before entries run.
#[derive(Debug)]
pub(super) struct Pair {
    /// Index of the account.
    pub(super) account: usize,
    pub(super) asset: Asset,
    /// The account's kind, once it is known.
    pub(super) kind: Option<AccountKind>,
    pub(super) debits: i128,
    pub(super) credits: i128,
    /// The last event that moved it.
    pub(super) position: Position,
}

#[derive(Debug)]
pub(super) struct NewTransaction {
    pub(super) position: Position,
    pub(super) transaction: TransactionId,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) reference: Option<String>,
    pub(super) metadata: String,
    pub(super) entries: String,
    pub(super) reverses: Option<TransactionId>,
}

#[derive(Debug)]
pub(super) struct NewEntry {
    /// Index of the transaction.
    pub(super) transaction: usize,
    /// Index of the account and asset.
    pub(super) pair: usize,
    pub(super) line: i32,
    pub(super) direction: Direction,
    pub(super) amount: Amount,
    /// The posted balance after it, on the account's normal side. Known once the batch was run.
    pub(super) balance: i128,
}

impl Changes {
    /// Folds one more event in, or says how it contradicts the batch so far. What contradicts rows that are there
    /// is found by the database.
    pub(super) fn add(
        &mut self,
        position: Position,
        recorded_at: DateTime<Utc>,
        event: LedgerEvent,
    ) -> Result<(), String> {
        match event {
            LedgerEvent::LedgerCreated(event) => {
                self.ledgers.push(NewLedger { ledger: event.ledger, position, recorded_at })
            }
            LedgerEvent::AssetRegistered(event) => {
                self.assets.push(NewAsset { asset: event.asset, position })
            }
            LedgerEvent::AccountOpened(event) => self.open(position, recorded_at, event)?,
            LedgerEvent::AccountFrozen(event) => self.freeze(position, &event.account, event.scope, true),
            LedgerEvent::AccountUnfrozen(event) => self.freeze(position, &event.account, event.scope, false),
            LedgerEvent::AccountClosed(event) => self.account(position, &event.account).closed = Some(true),
            LedgerEvent::OverdraftPolicySet(event) => {
                self.account(position, &event.account).overdraft = Some(overdraft_json(&event.overdraft));
            }
            LedgerEvent::TransactionPosted(event) => self.post(position, recorded_at, event),
        }
        Ok(())
    }

    /// Puts the entries in the order of their table's key, so that neighbours in the index are written together.
    pub(super) fn sort_for_writing(&mut self) {
        let Changes { entries, pairs, accounts, .. } = self;
        entries.sort_unstable_by_key(|entry| {
            (&accounts[pairs[entry.pair].account].account, entry.transaction, entry.line)
        });
    }

    fn open(
        &mut self,
        position: Position,
        recorded_at: DateTime<Utc>,
        event: AccountOpened,
    ) -> Result<(), String> {
        let account = self.account(position, &event.account);
        if let Some(first) = &account.opened {
            return Err(format!("`{}` was opened at position {}", event.account, first.position));
        }
        account.overdraft = Some(overdraft_json(&event.overdraft));
        account.opened = Some(Opened {
            kind: event.kind,
            metadata: metadata_json(&event.metadata),
            position,
            recorded_at,
        });
        Ok(())
    }

    fn freeze(&mut self, position: Position, account: &AccountName, scope: FreezeScope, frozen: bool) {
        let account = self.account(position, account);
        if scope.covers(Direction::Debit) {
            account.frozen_debits = Some(frozen);
        }
        if scope.covers(Direction::Credit) {
            account.frozen_credits = Some(frozen);
        }
    }

    fn post(&mut self, position: Position, recorded_at: DateTime<Utc>, event: TransactionPosted) {
        let transaction = self.transactions.len();
        for (line, entry) in (0..).zip(&event.entries) {
            let pair = self.pair(position, entry);
            self.entries.push(NewEntry {
                transaction,
                pair,
                line,
                direction: entry.direction,
                amount: entry.amount,
                balance: 0,
            });
        }
        self.transactions.push(NewTransaction {
            position,
            transaction: event.transaction,
            effective_at: event.effective_at,
            recorded_at,
            reference: event.reference.map(|reference| reference.as_str().to_owned()),
            metadata: metadata_json(&event.metadata),
            entries: serde_json::to_string(&event.entries).expect("entries hold only strings"),
            reverses: event.reverses,
        });
    }

    fn account(&mut self, position: Position, account: &AccountName) -> &mut AccountChange {
        let index = self.account_index(account);
        let account = &mut self.accounts[index];
        account.position = Some(position);
        account
    }

    fn account_index(&mut self, account: &AccountName) -> usize {
        if let Some(&index) = self.account_index.get(account) {
            return index;
        }
        let index = self.accounts.len();
        self.account_index.insert(account.clone(), index);
        self.accounts.push(AccountChange {
            account: account.clone(),
            opened: None,
            overdraft: None,
            frozen_debits: None,
            frozen_credits: None,
            closed: None,
            position: None,
        });
        index
    }

    fn pair(&mut self, position: Position, entry: &Entry) -> usize {
        let account = self.account_index(&entry.account);
        let pairs = &mut self.pairs;
        let index = *self.pair_index.entry((account, entry.asset.clone())).or_insert_with(|| {
            pairs.push(Pair {
                account,
                asset: entry.asset.clone(),
                kind: None,
                debits: 0,
                credits: 0,
                position,
            });
            pairs.len() - 1
        });
        self.pairs[index].position = position;
        index
    }
}

fn overdraft_json(overdraft: &Overdraft) -> String {
    serde_json::to_string(overdraft).expect("an overdraft policy holds only strings")
}

fn metadata_json(metadata: &Metadata) -> String {
    serde_json::to_string(metadata).expect("metadata came from JSON")
}
