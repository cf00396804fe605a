//! The commands that a journal becomes.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use recount_core::LogName;
use recount_domain::{Command, OpenAccount, PostTransaction, Request};
use recount_events::ledger::{
    AccountKind, AccountName, Amount, Asset, Direction, Entry, Metadata, Overdraft, TransactionId,
};
use uuid::Uuid;

use crate::journal::{Journal, Posting, Transaction};
use crate::names::{self, Names};

/// The namespace of the ids of imported transactions.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c1f_5f0e_8a57_4a5e_9d0b_0d6d_5b3c_71a2);

/// The commands for the ledger.
#[derive(Debug)]
pub(crate) struct Plan {
    journal: Journal,
    ids: Uuid,
    accounts: BTreeMap<AccountName, AccountKind>,
    assets: BTreeMap<String, Asset>,
}

impl Plan {
    pub(crate) fn new(
        journal: Journal,
        names: &Names,
        ledger: &LogName,
        source: &str,
    ) -> anyhow::Result<Plan> {
        let mut accounts = BTreeMap::new();
        let accounts_in_use: BTreeMap<&str, u64> =
            postings(&journal).map(|it| (it.account.as_str(), it.line)).rev().collect();
        // One line for all accounts that one --kind option covers.
        let mut unknown = BTreeMap::new();
        for (name, line) in accounts_in_use {
            match names.kind(name) {
                Some(kind) => {
                    accounts.insert(name.parse()?, kind);
                }
                None => {
                    unknown.entry(names::first_part(name)).or_insert((name, line));
                }
            }
        }
        if !unknown.is_empty() {
            let unknown = unknown.values().map(|(name, line)| format!("  line {line}: account `{name}`"));
            bail!(
                "the first part of an account's name determines its kind: Assets, Liabilities, Equity, Income, Revenues or \
                 Expenses. Specify the kind of others with --kind NAME=KIND, which covers all accounts below the name. \
                 Nothing was imported:\n{}",
                unknown.collect::<Vec<_>>().join("\n")
            );
        }
        let ids = Uuid::new_v5(&NAMESPACE, format!("{ledger}\n{source}").as_bytes());
        Ok(Plan { journal, ids, accounts, assets: BTreeMap::new() })
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Sets the asset of a commodity.
    pub(crate) fn use_asset(&mut self, commodity: &str, asset: Asset) {
        self.assets.insert(commodity.to_owned(), asset);
    }

    /// The accounts have no limits: a journal does not define any.
    pub(crate) fn open_accounts(&self) -> Vec<Request> {
        let open = |(account, kind): (&AccountName, &AccountKind)| {
            let open = Command::OpenAccount(OpenAccount {
                account: account.clone(),
                kind: Some(*kind),
                overdraft: Some(Overdraft::Unlimited),
                limits: None,
                assets: Vec::new(),
                metadata: Metadata::new(),
            });
            open.into()
        };
        self.accounts.iter().map(open).collect()
    }

    /// A command for every transaction with postings.
    pub(crate) fn post_transactions(&self) -> anyhow::Result<Vec<(&Transaction, Request)>> {
        let posting = self.journal.transactions.iter().filter(|transaction| !transaction.postings.is_empty());
        posting.map(|transaction| Ok((transaction, self.post(transaction)?))).collect()
    }

    fn post(&self, transaction: &Transaction) -> anyhow::Result<Request> {
        let id = Uuid::new_v5(&self.ids, transaction.name.as_bytes()).to_string();
        let entries = transaction.postings.iter().map(|posting| self.entry(posting));
        let mut metadata = Metadata::new();
        metadata.insert("description".to_owned(), transaction.description.clone().into());
        metadata.insert("imported_as".to_owned(), transaction.name.clone().into());
        let post = Command::PostTransaction(PostTransaction {
            transaction: TransactionId::from_stored(&id),
            entries: entries.collect::<anyhow::Result<_>>()?,
            effective_at: Some(transaction.date.and_time(chrono::NaiveTime::MIN).and_utc()),
            reference: None,
            metadata,
        });
        Ok(post.into())
    }

    fn entry(&self, posting: &Posting) -> anyhow::Result<Entry> {
        let asset = self.assets.get(&posting.commodity).context("a commodity was not registered")?;
        let amount = posting.amount.minor_units(asset.scale());
        let amount = amount.with_context(|| format!("line {}: the amount is too large", posting.line))?;
        let magnitude = amount
            .checked_abs()
            .with_context(|| format!("line {}: the amount is too large", posting.line))?;
        Ok(Entry {
            account: posting.account.parse()?,
            direction: if amount > 0 { Direction::Debit } else { Direction::Credit },
            asset: asset.clone(),
            amount: Amount::new(magnitude).with_context(|| format!("line {}", posting.line))?,
        })
    }
}

fn postings(journal: &Journal) -> impl DoubleEndedIterator<Item = &Posting> {
    journal.transactions.iter().flat_map(|transaction| &transaction.postings)
}
