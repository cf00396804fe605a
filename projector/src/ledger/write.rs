//! Writing the changes: one statement per table, whatever the size of the batch.

use recount_events::ledger::AccountKind;
use recount_events::{LogKey, Position};
use sqlx::PgConnection;

use super::changes::{AccountChange, Changes, Opened, Pair};

pub(super) async fn all(
    connection: &mut PgConnection,
    log: LogKey,
    changes: &Changes,
) -> Result<(), sqlx::Error> {
    let mut writer = Writer { connection, log: log.0, changes };
    if !changes.ledgers.is_empty() {
        writer.ledgers().await?;
    }
    if !changes.assets.is_empty() {
        writer.assets().await?;
    }
    if !changes.accounts.is_empty() {
        writer.new_accounts().await?;
        writer.changed_accounts().await?;
    }
    if !changes.transactions.is_empty() {
        writer.transactions().await?;
        writer.reversals().await?;
        writer.balances().await?;
        writer.entries().await?;
    }
    Ok(())
}

struct Writer<'a> {
    connection: &'a mut PgConnection,
    log: i64,
    changes: &'a Changes,
}

/// One column of many rows.
fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

impl Writer<'_> {
    async fn ledgers(&mut self) -> Result<(), sqlx::Error> {
        let rows = &self.changes.ledgers;
        sqlx::query(
            "insert into ledgers (log, ledger, created_position, created_at)
             select $1, * from unnest($2::text[], $3::bigint[], $4::timestamptz[])",
        )
        .bind(self.log)
        .bind(column(rows, |row| row.ledger.as_str()))
        .bind(column(rows, |row| row.position.0))
        .bind(column(rows, |row| row.recorded_at))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    async fn assets(&mut self) -> Result<(), sqlx::Error> {
        let rows = &self.changes.assets;
        sqlx::query(
            "insert into assets (log, code, asset, scale, registered_position)
             select $1, * from unnest($2::text[], $3::text[], $4::integer[], $5::bigint[])",
        )
        .bind(self.log)
        .bind(column(rows, |row| row.asset.code()))
        .bind(column(rows, |row| row.asset.as_str()))
        .bind(column(rows, |row| i32::from(row.asset.scale())))
        .bind(column(rows, |row| row.position.0))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    async fn new_accounts(&mut self) -> Result<(), sqlx::Error> {
        let rows: Vec<(&AccountChange, &Opened)> = self
            .changes
            .accounts
            .iter()
            .filter_map(|change| Some((change, change.opened.as_ref()?)))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into accounts (log, account, kind, overdraft, frozen_debits, frozen_credits, closed, metadata,
                                   opened_position, opened_at, changed_position)
             select $1, account, kind, overdraft::json, frozen_debits, frozen_credits, closed, metadata::json,
                    opened_position, opened_at, position
             from unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::boolean[], $8::text[],
                         $9::bigint[], $10::timestamptz[], $11::bigint[])
                  as u(account, kind, overdraft, frozen_debits, frozen_credits, closed, metadata,
                       opened_position, opened_at, position)",
        )
        .bind(self.log)
        .bind(column(&rows, |(change, _)| change.account.as_str()))
        .bind(column(&rows, |(_, opened)| opened.kind.as_str()))
        .bind(column(&rows, |(change, _)| change.overdraft.as_deref()))
        .bind(column(&rows, |(change, _)| change.frozen_debits.unwrap_or(false)))
        .bind(column(&rows, |(change, _)| change.frozen_credits.unwrap_or(false)))
        .bind(column(&rows, |(change, _)| change.closed.unwrap_or(false)))
        .bind(column(&rows, |(_, opened)| opened.metadata.as_str()))
        .bind(column(&rows, |(_, opened)| opened.position.0))
        .bind(column(&rows, |(_, opened)| opened.recorded_at))
        .bind(column(&rows, |(change, opened)| change.position.unwrap_or(opened.position).0))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    async fn changed_accounts(&mut self) -> Result<(), sqlx::Error> {
        let rows: Vec<(&AccountChange, Position)> = self
            .changes
            .accounts
            .iter()
            .filter(|change| change.opened.is_none())
            .filter_map(|change| Some((change, change.position?)))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update accounts as a
             set overdraft = coalesce(u.overdraft::json, a.overdraft),
                 frozen_debits = coalesce(u.frozen_debits, a.frozen_debits),
                 frozen_credits = coalesce(u.frozen_credits, a.frozen_credits),
                 closed = coalesce(u.closed, a.closed),
                 changed_position = u.position
             from unnest($2::text[], $3::text[], $4::boolean[], $5::boolean[], $6::boolean[], $7::bigint[])
                  as u(account, overdraft, frozen_debits, frozen_credits, closed, position)
             where a.log = $1 and a.account = u.account",
        )
        .bind(self.log)
        .bind(column(&rows, |(change, _)| change.account.as_str()))
        .bind(column(&rows, |(change, _)| change.overdraft.as_deref()))
        .bind(column(&rows, |(change, _)| change.frozen_debits))
        .bind(column(&rows, |(change, _)| change.frozen_credits))
        .bind(column(&rows, |(change, _)| change.closed))
        .bind(column(&rows, |(_, position)| position.0))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    async fn transactions(&mut self) -> Result<(), sqlx::Error> {
        let rows = &self.changes.transactions;
        sqlx::query(
            "insert into transactions (log, position, transaction, effective_at, recorded_at, reference, metadata,
                                       entries, reverses)
             select $1, position, transaction, effective_at, recorded_at, reference, metadata::json, entries::json,
                    reverses
             from unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[],
                         $8::text[], $9::text[])
                  as u(position, transaction, effective_at, recorded_at, reference, metadata, entries, reverses)",
        )
        .bind(self.log)
        .bind(column(rows, |row| row.position.0))
        .bind(column(rows, |row| row.transaction.as_str()))
        .bind(column(rows, |row| row.effective_at))
        .bind(column(rows, |row| row.recorded_at))
        .bind(column(rows, |row| row.reference.as_deref()))
        .bind(column(rows, |row| row.metadata.as_str()))
        .bind(column(rows, |row| row.entries.as_str()))
        .bind(column(rows, |row| row.reverses.as_ref().map(|reverses| reverses.as_str())))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    /// After the batch's own transactions are in, because one of them may be reversed by another.
    async fn reversals(&mut self) -> Result<(), sqlx::Error> {
        let rows: Vec<(&str, &str)> = self
            .changes
            .transactions
            .iter()
            .filter_map(|row| Some((row.reverses.as_ref()?.as_str(), row.transaction.as_str())))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update transactions as t set reversed_by = u.by
             from unnest($2::text[], $3::text[]) as u(transaction, by)
             where t.log = $1 and t.transaction = u.transaction",
        )
        .bind(self.log)
        .bind(column(&rows, |(reversed, _)| *reversed))
        .bind(column(&rows, |(_, by)| *by))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    async fn balances(&mut self) -> Result<(), sqlx::Error> {
        let Changes { pairs, accounts, .. } = self.changes;
        // A pair whose kind is unknown has no entry that could be run: the batch would not have come here.
        let mut rows: Vec<(&str, &Pair, AccountKind)> = pairs
            .iter()
            .filter_map(|pair| Some((accounts[pair.account].account.as_str(), pair, pair.kind?)))
            .collect();
        rows.sort_unstable_by_key(|(account, pair, _)| (*account, &pair.asset));
        sqlx::query(
            "insert into balances (log, account, asset, kind, debits, credits, position)
             select $1, account, asset, kind, debits::numeric, credits::numeric, position
             from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                  as u(account, asset, kind, debits, credits, position)
             on conflict on constraint balances_pkey do update
             set debits = excluded.debits, credits = excluded.credits, position = excluded.position",
        )
        .bind(self.log)
        .bind(column(&rows, |(account, ..)| *account))
        .bind(column(&rows, |(_, pair, _)| pair.asset.as_str()))
        .bind(column(&rows, |(.., kind)| kind.as_str()))
        .bind(column(&rows, |(_, pair, _)| pair.debits.to_string()))
        .bind(column(&rows, |(_, pair, _)| pair.credits.to_string()))
        .bind(column(&rows, |(_, pair, _)| pair.position.0))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    async fn entries(&mut self) -> Result<(), sqlx::Error> {
        let Changes { entries, pairs, accounts, transactions, .. } = self.changes;
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
        .bind(self.log)
        .bind(column(entries, |entry| accounts[pairs[entry.pair].account].account.as_str()))
        .bind(column(entries, |entry| transactions[entry.transaction].position.0))
        .bind(column(entries, |entry| entry.line))
        .bind(column(entries, |entry| pairs[entry.pair].asset.as_str()))
        .bind(column(entries, |entry| entry.direction.as_str()))
        .bind(column(entries, |entry| entry.amount.to_string()))
        .bind(column(entries, |entry| entry.balance.to_string()))
        .bind(column(entries, |entry| transactions[entry.transaction].transaction.as_str()))
        .bind(column(entries, |entry| transactions[entry.transaction].effective_at))
        .bind(column(entries, |entry| transactions[entry.transaction].recorded_at))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }
}
