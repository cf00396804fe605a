//! The changes of a batch of events: folded in memory, checked against the stored rows, and written.

use recount_core::LogKey;
use recount_events::ledger::{
    AccountName, Asset, Capture, Direction, Entry, LedgerEvent, MetadataOwner, MetadataRemoved, MetadataSet,
    TransactionPosted,
};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::accounts::Accounts;
use super::assets::Assets;
use super::balances::Balances;
use super::customers::Customers;
use super::entries::{Entries, References};
use super::holds::{Holds, Legs};
use super::ledgers::LedgerChange;
use super::links::Links;
use super::metadata::{Amendment, MetadataChanges};
use super::rows::{EventStamp, contradiction};
use super::transactions::Transactions;

/// The changes of each table.
#[derive(Debug, Default)]
pub(super) struct Changes {
    ledger: LedgerChange,
    assets: Assets,
    accounts: Accounts,
    balances: Balances,
    transactions: Transactions,
    entries: Entries,
    holds: Holds,
    metadata: MetadataChanges,
    customers: Customers,
    links: Links,
}

impl Changes {
    /// Folds in the next event. A contradiction with the batch so far is found here or by [`Changes::load_and_check`];
    /// a new row that already exists is found by the database.
    pub(super) fn add(&mut self, at: EventStamp, event: LedgerEvent) -> Result<(), ApplyError> {
        match event {
            LedgerEvent::LedgerCreated(event) => self.ledger.create(at, event)?,
            LedgerEvent::EffectiveWindowSet(event) => self.ledger.set_window(at, event.window),
            LedgerEvent::PeriodClosed(event) => self.ledger.close_through(at, event.through),
            LedgerEvent::PeriodReopened(event) => self.ledger.reopen_from(at, event.from),
            LedgerEvent::ChartSet(event) => self.ledger.set_chart(at, Some(event.rules)),
            LedgerEvent::ChartRemoved(_) => self.ledger.set_chart(at, None),
            LedgerEvent::TimeCorrected(_) => self.ledger.touch(at.position),
            LedgerEvent::AssetRegistered(event) => self.assets.register(at, event),
            LedgerEvent::AccountOpened(event) => self.accounts.open(at, event)?,
            LedgerEvent::AccountFrozen(event) => self.accounts.freeze(at, &event.account, event.scope, true),
            LedgerEvent::AccountUnfrozen(event) => {
                self.accounts.freeze(at, &event.account, event.scope, false);
            }
            LedgerEvent::AccountClosed(event) => self.accounts.close(at, &event.account),
            LedgerEvent::OverdraftPolicySet(event) => {
                self.accounts.set_overdraft(at, &event.account, event.overdraft);
            }
            LedgerEvent::BalanceLimitsSet(event) => {
                self.accounts.set_limits(at, &event.account, event.limits);
            }
            LedgerEvent::TransactionPosted(event) => self.post(at, event)?,
            LedgerEvent::HoldPlaced(event) => {
                let legs = self.legs(at, &event.debit, &event.credit, &event.asset);
                self.holds.place(at, event, legs);
            }
            LedgerEvent::HoldReleased(event) => {
                let legs = self.legs(at, &event.debit, &event.credit, &event.asset);
                self.holds.release(at, &event.hold, event.amount, legs);
            }
            LedgerEvent::HoldExpired(event) => {
                let legs = self.legs(at, &event.debit, &event.credit, &event.asset);
                self.holds.expire(at, &event.hold, event.amount, legs);
            }
            LedgerEvent::MetadataSet(event) => self.set_metadata(at, event),
            LedgerEvent::MetadataRemoved(event) => self.remove_metadata(at, event),
            LedgerEvent::CustomerRegistered(event) => self.customers.register(at, event)?,
            LedgerEvent::CustomerUpdated(event) => self.customers.update(at, event)?,
            LedgerEvent::CustomerForgotten(event) => self.customers.forget(at, &event.customer),
            LedgerEvent::AccountLinked(event) => {
                self.customers.touch(at, &event.customer);
                self.accounts.touch(at, &event.account);
                self.links.link(at, event.customer, event.account)?;
            }
            LedgerEvent::AccountUnlinked(event) => {
                self.customers.touch(at, &event.customer);
                self.accounts.touch(at, &event.account);
                self.links.unlink(at, event.customer, event.account)?;
            }
        }
        Ok(())
    }

    fn post(&mut self, at: EventStamp, event: TransactionPosted) -> Result<(), ApplyError> {
        let transaction = self.transactions.next_index();
        for (line, entry) in (0..).zip(&event.entries) {
            let account = self.accounts.index_of(&entry.account);
            let balance = self.balances.touch(at.position, account, &entry.asset);
            self.entries.add(transaction, balance, line, entry);
        }
        if let Some(capture) = &event.captures {
            self.capture(at, capture, &event.entries)?;
        }
        self.transactions.post(at, event);
        Ok(())
    }

    /// A capture posts all or part of a hold: one debit and one credit, of the same accounts as the hold.
    fn capture(&mut self, at: EventStamp, capture: &Capture, entries: &[Entry]) -> Result<(), ApplyError> {
        let [debit, credit] = entries else {
            return Err(not_a_capture(at, capture));
        };
        let same = debit.asset == credit.asset && debit.amount == credit.amount;
        if !same || (debit.direction, credit.direction) != (Direction::Debit, Direction::Credit) {
            return Err(not_a_capture(at, capture));
        }
        let legs = self.legs(at, &debit.account, &credit.account, &debit.asset);
        self.holds.capture(at, capture, debit.amount, legs);
        Ok(())
    }

    fn legs(&mut self, at: EventStamp, debit: &AccountName, credit: &AccountName, asset: &Asset) -> Legs {
        self.balances.include_held();
        let [debit, credit] = [debit, credit].map(|account| {
            let account = self.accounts.index_of(account);
            self.balances.touch(at.position, account, asset)
        });
        Legs { debit, credit }
    }

    fn set_metadata(&mut self, at: EventStamp, event: MetadataSet) {
        self.amend(at, &event.of).set(&event.metadata);
        self.metadata.set(at, event.of, event.metadata);
    }

    fn remove_metadata(&mut self, at: EventStamp, event: MetadataRemoved) {
        self.amend(at, &event.of).remove(&event.keys);
        self.metadata.remove(at, event.of, event.keys);
    }

    fn amend(&mut self, at: EventStamp, owner: &MetadataOwner) -> &mut Amendment {
        match owner {
            MetadataOwner::Account(account) => self.accounts.amend(at, account),
            MetadataOwner::Transaction(transaction) => self.transactions.amend(at, transaction),
        }
    }

    /// Loads the stored rows that the batch builds on, checks the events against them, and computes the balances.
    pub(super) async fn load_and_check(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), ApplyError> {
        self.ledger.check_created(connection, log).await?;
        self.accounts.check_and_amend(connection, log).await?;
        self.transactions.check_and_amend(connection, log).await?;
        self.balances.load(connection, log, &self.accounts).await?;
        self.entries.post_to_balances(&self.transactions, &mut self.balances, &self.accounts)?;
        self.holds.load(connection, log).await?;
        self.holds.apply(&mut self.balances, &self.accounts)?;
        self.customers.check_registered(connection, log).await?;
        self.links.check_stored(connection, log).await
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        self.ledger.write(connection, log).await?;
        self.assets.write(connection, log).await?;
        self.accounts.write(connection, log).await?;
        self.transactions.write(connection, log).await?;
        self.balances.write(connection, log, &self.accounts).await?;
        let Changes { transactions, balances, accounts, .. } = self;
        self.entries.write(connection, log, References { transactions, balances, accounts }).await?;
        self.holds.write(connection, log).await?;
        self.metadata.write(connection, log).await?;
        self.customers.write(connection, log).await?;
        self.links.write(connection, log).await
    }
}

fn not_a_capture(at: EventStamp, capture: &Capture) -> ApplyError {
    let hold = &capture.hold;
    let reason =
        format!("a capture of hold `{hold}` must be one debit and one credit of one asset and amount");
    contradiction(at.position, reason)
}
