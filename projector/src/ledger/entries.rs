//! The table `entries`: the entries of posted transactions, each with its running balance.

use ethnum::I256;
use recount_core::LogKey;
use recount_events::ledger::{Amount, Direction, Entry};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::accounts::Accounts;
use super::balances::{BalanceIndex, Balances, Movement};
use super::rows::{column, storable_time};
use super::transactions::{NewTransaction, TransactionIndex, Transactions};

/// The entries that a batch posts.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<NewEntry>);

#[derive(Debug)]
struct NewEntry {
    transaction: TransactionIndex,
    balance: BalanceIndex,
    line: i32,
    direction: Direction,
    amount: Amount,
    /// The posted balance after the entry, on the account's normal side. Zero until the entries are posted to the
    /// balances.
    running_balance: I256,
}

/// The tables whose rows entries refer to by index.
#[derive(Clone, Copy, Debug)]
pub(super) struct References<'a> {
    pub(super) transactions: &'a Transactions,
    pub(super) balances: &'a Balances,
    pub(super) accounts: &'a Accounts,
}

impl<'a> References<'a> {
    fn transaction(self, entry: &NewEntry) -> &'a NewTransaction {
        self.transactions.get(entry.transaction)
    }

    /// The account and the asset of the entry.
    fn balance_key(self, entry: &NewEntry) -> (&'a str, &'a str) {
        self.balances.key(self.accounts, entry.balance)
    }
}

impl Entries {
    pub(super) fn add(
        &mut self,
        transaction: TransactionIndex,
        balance: BalanceIndex,
        line: i32,
        entry: &Entry,
    ) {
        let Entry { direction, amount, .. } = *entry;
        let running_balance = I256::ZERO;
        self.0.push(NewEntry { transaction, balance, line, direction, amount, running_balance });
    }

    /// Posts the entries in order to the balances, and sorts them by the key of their table, so that neighbouring rows
    /// are written together.
    pub(super) fn post_to_balances(
        &mut self,
        transactions: &Transactions,
        balances: &mut Balances,
        accounts: &Accounts,
    ) -> Result<(), ApplyError> {
        for entries in self.0.chunk_by_mut(|one, next| one.transaction == next.transaction) {
            let position = transactions.get(entries[0].transaction).position;
            for entry in &mut *entries {
                let NewEntry { direction, amount, .. } = *entry;
                let movement = Movement { position, direction, amount };
                entry.running_balance = balances.get_mut(entry.balance).post(movement, accounts)?;
            }
            for entry in entries {
                balances.get(entry.balance).check_range(position, accounts)?;
            }
        }
        self.0.sort_unstable_by_key(|entry| {
            (accounts.name(balances.get(entry.balance).account), entry.transaction, entry.line)
        });
        Ok(())
    }

    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        log: LogKey,
        references: References<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = &self.0;
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into entries (log, account, position, line, asset, direction, amount, balance, transaction,
                                  effective_at, recorded_at)
             select $1, account, position, line, asset, direction, amount::numeric, balance::numeric, transaction,
                    effective_at, recorded_at
             from unnest($2::text[], $3::bigint[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::timestamptz[], $11::timestamptz[])
                  as u(account, position, line, asset, direction, amount, balance, transaction,
                       effective_at, recorded_at)",
        )
        .bind(log.0)
        .bind(column(rows, |entry| references.balance_key(entry).0))
        .bind(column(rows, |entry| references.transaction(entry).position.0))
        .bind(column(rows, |entry| entry.line))
        .bind(column(rows, |entry| references.balance_key(entry).1))
        .bind(column(rows, |entry| entry.direction.as_str()))
        .bind(column(rows, |entry| entry.amount.to_string()))
        .bind(column(rows, |entry| entry.running_balance.to_string()))
        .bind(column(rows, |entry| references.transaction(entry).transaction.as_str()))
        .bind(column(rows, |entry| storable_time(references.transaction(entry).effective_at)))
        .bind(column(rows, |entry| references.transaction(entry).recorded_at))
        .execute(connection)
        .await?;
        Ok(())
    }
}
