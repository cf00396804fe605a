//! The table `entries`: the entries of transactions, each with the running balance.

use ethnum::I256;
use recount_core::LogKey;
use recount_events::ledger::{Amount, Direction, Entry};
use sqlx::PgConnection;

use super::accounts::Accounts;
use super::balances::Balances;
use super::rows::{column, storable};
use super::transactions::Transactions;
use recount_projection::ApplyError;

/// The entries that a batch posts.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<NewEntry>);

#[derive(Debug)]
struct NewEntry {
    /// Index of the transaction.
    transaction: usize,
    /// Index of the balance.
    balance: usize,
    line: i32,
    direction: Direction,
    amount: Amount,
    /// The posted balance after it, on the account's normal side. Known once the batch was run.
    running: I256,
}

impl Entries {
    /// One more entry of the transaction and of the balance with these indexes.
    pub(super) fn add(&mut self, transaction: usize, balance: usize, line: i32, entry: &Entry) {
        let Entry { direction, amount, .. } = *entry;
        self.0.push(NewEntry { transaction, balance, line, direction, amount, running: I256::ZERO });
    }

    /// Runs the entries in their order over the balances, and puts them in the order of their table's key, so that
    /// neighbours in the index are written together.
    pub(super) fn run(
        &mut self,
        transactions: &Transactions,
        balances: &mut Balances,
        accounts: &Accounts,
    ) -> Result<(), ApplyError> {
        for entries in self.0.chunk_by_mut(|one, next| one.transaction == next.transaction) {
            let position = transactions.get(entries[0].transaction).position;
            for entry in &mut *entries {
                let balance = balances.get_mut(entry.balance);
                entry.running = balance.post(position, entry.direction, entry.amount, accounts)?;
            }
            for entry in entries {
                balances.get(entry.balance).check(position, accounts)?;
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
        transactions: &Transactions,
        balances: &Balances,
        accounts: &Accounts,
    ) -> Result<(), sqlx::Error> {
        let rows = &self.0;
        if rows.is_empty() {
            return Ok(());
        }
        let transaction = |entry: &NewEntry| transactions.get(entry.transaction);
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
        .bind(column(rows, |entry| balances.key(accounts, entry.balance).0))
        .bind(column(rows, |entry| transaction(entry).position.0))
        .bind(column(rows, |entry| entry.line))
        .bind(column(rows, |entry| balances.key(accounts, entry.balance).1))
        .bind(column(rows, |entry| entry.direction.as_str()))
        .bind(column(rows, |entry| entry.amount.to_string()))
        .bind(column(rows, |entry| entry.running.to_string()))
        .bind(column(rows, |entry| transaction(entry).transaction.as_str()))
        .bind(column(rows, |entry| storable(transaction(entry).effective_at)))
        .bind(column(rows, |entry| transaction(entry).recorded_at))
        .execute(connection)
        .await?;
        Ok(())
    }
}
