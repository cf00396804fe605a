//! What a batch of events changes: folded in memory, settled with what was there before, and written.

use recount_core::LogKey;
use recount_events::ledger::{
    AccountName, Asset, Capture, Direction, Entry, LedgerEvent, MetadataOwner, MetadataRemoved, MetadataSet,
    TransactionPosted,
};
use sqlx::PgConnection;

use super::accounts::Accounts;
use super::assets::Assets;
use super::balances::Balances;
use super::contradiction;
use super::customers::Customers;
use super::entries::Entries;
use super::holds::{Holds, Legs};
use super::ledgers::Ledger;
use super::links::Links;
use super::metadata::{Amendment, MetadataChanges};
use super::rows::At;
use super::transactions::Transactions;
use recount_projection::ApplyError;

/// The changes of each table.
#[derive(Debug, Default)]
pub(super) struct Changes {
    ledger: Ledger,
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
    /// Folds one more event in. What contradicts the batch so far is found here or when the batch is settled; that
    /// something is there already that should be new is found by the database.
    pub(super) fn add(&mut self, at: At, event: LedgerEvent) -> Result<(), ApplyError> {
        match event {
            LedgerEvent::LedgerCreated(event) => self.ledger.create(at, event)?,
            LedgerEvent::EffectiveWindowSet(event) => self.ledger.set_window(at, event.window),
            LedgerEvent::PeriodClosed(event) => self.ledger.close_through(at, event.through),
            LedgerEvent::PeriodReopened(event) => self.ledger.reopen_from(at, event.from),
            LedgerEvent::ChartSet(event) => self.ledger.set_chart(at, Some(event.rules)),
            LedgerEvent::ChartRemoved(_) => self.ledger.set_chart(at, None),
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
                self.links.make(at, event.customer, event.account)?;
            }
            LedgerEvent::AccountUnlinked(event) => {
                self.customers.touch(at, &event.customer);
                self.accounts.touch(at, &event.account);
                self.links.unmake(at, event.customer, event.account)?;
            }
        }
        Ok(())
    }

    fn post(&mut self, at: At, event: TransactionPosted) -> Result<(), ApplyError> {
        let transaction = self.transactions.next_index();
        for (line, entry) in (0..).zip(&event.entries) {
            let account = self.accounts.index(&entry.account);
            let balance = self.balances.moved(at.position, account, &entry.asset);
            self.entries.add(transaction, balance, line, entry);
        }
        if let Some(capture) = &event.captures {
            self.capture(at, capture, &event.entries)?;
        }
        self.transactions.post(at, event);
        Ok(())
    }

    /// A capture posts a part of its hold: one debit and one credit, as the hold has them.
    fn capture(&mut self, at: At, capture: &Capture, entries: &[Entry]) -> Result<(), ApplyError> {
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

    fn legs(&mut self, at: At, debit: &AccountName, credit: &AccountName, asset: &Asset) -> Legs {
        self.balances.with_holds();
        let [debit, credit] = [debit, credit].map(|account| {
            let account = self.accounts.index(account);
            self.balances.moved(at.position, account, asset)
        });
        Legs { debit, credit }
    }

    fn set_metadata(&mut self, at: At, event: MetadataSet) {
        self.amend(at, &event.of).set(&event.metadata);
        self.metadata.set(at, event.of, event.metadata);
    }

    fn remove_metadata(&mut self, at: At, event: MetadataRemoved) {
        self.amend(at, &event.of).remove(&event.keys);
        self.metadata.remove(at, event.of, event.keys);
    }

    fn amend(&mut self, at: At, owner: &MetadataOwner) -> &mut Amendment {
        match owner {
            MetadataOwner::Account(account) => self.accounts.amend(at, account),
            MetadataOwner::Transaction(transaction) => self.transactions.amend(at, transaction),
        }
    }

    /// Loads what has to be known of what was there before, and finds what contradicts it.
    pub(super) async fn settle(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), ApplyError> {
        self.ledger.settle(connection, log).await?;
        self.accounts.settle(connection, log).await?;
        self.transactions.settle(connection, log).await?;
        self.balances.load(connection, log, &self.accounts).await?;
        self.entries.run(&self.transactions, &mut self.balances, &self.accounts)?;
        self.holds.settle(connection, log, &mut self.balances, &self.accounts).await?;
        self.customers.settle(connection, log).await?;
        self.links.settle(connection, log).await
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        self.ledger.write(connection, log).await?;
        self.assets.write(connection, log).await?;
        self.accounts.write(connection, log).await?;
        self.transactions.write(connection, log).await?;
        self.balances.write(connection, log, &self.accounts).await?;
        self.entries.write(connection, log, &self.transactions, &self.balances, &self.accounts).await?;
        self.holds.write(connection, log).await?;
        self.metadata.write(connection, log).await?;
        self.customers.write(connection, log).await?;
        self.links.write(connection, log).await
    }
}

fn not_a_capture(at: At, capture: &Capture) -> ApplyError {
    let reason = format!("it captures hold `{}`, and is not one debit and one credit alike", capture.hold);
    contradiction(at.position, reason)
}
