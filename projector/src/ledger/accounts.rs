//! The table `accounts`: what an account is and may do. Its balances are another table.

use std::collections::HashMap;

use recount_core::{LogKey, Position};
use recount_events::ledger::{
    AccountKind, AccountName, AccountOpened, BalanceLimit, Direction, FreezeScope, Overdraft,
};
use sqlx::PgConnection;

use super::contradiction;
use super::metadata::Amendment;
use super::rows::{At, Span, column, json, sparse};
use recount_projection::ApplyError;

/// The accounts that a batch concerns, each with an index by which other tables name it.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    all: Vec<Account>,
    index: HashMap<AccountName, usize>,
}

#[derive(Debug)]
struct Account {
    name: AccountName,
    /// What happens to the account itself; `None` if transactions and holds are all that concerns it.
    change: Option<Box<Change>>,
}

#[derive(Debug)]
struct Change {
    opened: Option<(At, AccountOpened)>,
    /// An event that opens it, though an earlier one of the batch takes it for opened.
    opened_again: Option<Position>,
    overdraft: Option<Overdraft>,
    limits: Option<Vec<BalanceLimit>>,
    frozen_debits: Option<bool>,
    frozen_credits: Option<bool>,
    closed: Option<bool>,
    amendment: Option<Amendment>,
    /// The metadata as the amendment leaves it.
    metadata: Option<String>,
    span: Span,
}

impl Accounts {
    /// The index of the account.
    pub(super) fn index(&mut self, name: &AccountName) -> usize {
        if let Some(&index) = self.index.get(name) {
            return index;
        }
        let index = self.all.len();
        self.index.insert(name.clone(), index);
        self.all.push(Account { name: name.clone(), change: None });
        index
    }

    pub(super) fn name(&self, index: usize) -> &AccountName {
        &self.all[index].name
    }

    /// What the account is and since when, if the batch opens it.
    pub(super) fn opened(&self, index: usize) -> Option<(AccountKind, Position)> {
        let (at, event) = self.all[index].change.as_ref()?.opened.as_ref()?;
        Some((event.kind, at.position))
    }

    pub(super) fn open(&mut self, at: At, event: AccountOpened) -> Result<(), ApplyError> {
        let index = self.index(&event.account);
        match self.all[index].change.as_deref_mut() {
            None => {
                let account = event.account.clone();
                self.change(at, &account).opened = Some((at, event));
            }
            Some(change) if change.opened.is_some() => {
                return Err(opened_before(at.position, &event.account));
            }
            // Whether this event is to blame or the one before it is known once the account was looked up.
            Some(change) => change.opened_again = change.opened_again.or(Some(at.position)),
        }
        Ok(())
    }

    pub(super) fn freeze(&mut self, at: At, account: &AccountName, scope: FreezeScope, frozen: bool) {
        let change = self.change(at, account);
        if scope.covers(Direction::Debit) {
            change.frozen_debits = Some(frozen);
        }
        if scope.covers(Direction::Credit) {
            change.frozen_credits = Some(frozen);
        }
    }

    pub(super) fn close(&mut self, at: At, account: &AccountName) {
        self.change(at, account).closed = Some(true);
    }

    pub(super) fn set_overdraft(&mut self, at: At, account: &AccountName, overdraft: Overdraft) {
        self.change(at, account).overdraft = Some(overdraft);
    }

    pub(super) fn set_limits(&mut self, at: At, account: &AccountName, limits: Vec<BalanceLimit>) {
        self.change(at, account).limits = Some(limits);
    }

    pub(super) fn amend(&mut self, at: At, account: &AccountName) -> &mut Amendment {
        self.change(at, account).amendment.get_or_insert_default()
    }

    /// Something concerns the account and changes nothing of it.
    pub(super) fn touch(&mut self, at: At, account: &AccountName) {
        self.change(at, account);
    }

    fn change(&mut self, at: At, account: &AccountName) -> &mut Change {
        let index = self.index(account);
        let change = self.all[index].change.get_or_insert_with(|| {
            Box::new(Change {
                opened: None,
                opened_again: None,
                overdraft: None,
                limits: None,
                frozen_debits: None,
                frozen_credits: None,
                closed: None,
                amendment: None,
                metadata: None,
                span: Span::at(at.position),
            })
        });
        change.span.last = at.position;
        change
    }

    /// Makes sure that what is changed is there, and finds out what becomes of its metadata.
    pub(super) async fn settle(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), ApplyError> {
        let mut earlier: Vec<(&AccountName, &mut Change)> = Vec::new();
        for account in &mut self.all {
            let Some(change) = account.change.as_deref_mut() else { continue };
            match &change.opened {
                Some((_, event)) => {
                    let amended = change.amendment.as_ref();
                    change.metadata = amended.map(|amendment| amendment.amend(event.metadata.clone()));
                }
                None => earlier.push((&account.name, change)),
            }
        }
        if earlier.is_empty() {
            return Ok(());
        }
        let mut stored = load(connection, log, &earlier).await?;
        for (name, change) in earlier {
            let metadata =
                stored.remove(name.as_str()).ok_or_else(|| never_opened(change.span.first, name))?;
            if let Some(position) = change.opened_again {
                return Err(opened_before(position, name));
            }
            if let (Some(amendment), Some(metadata)) = (&change.amendment, metadata) {
                change.metadata = Some(amendment.amend_stored(&metadata)?);
            }
        }
        Ok(())
    }
}

pub(super) fn never_opened(position: Position, account: &AccountName) -> ApplyError {
    contradiction(position, format!("`{account}` was never opened"))
}

fn opened_before(position: Position, account: &AccountName) -> ApplyError {
    contradiction(position, format!("`{account}` was opened before"))
}

/// The accounts that were opened by earlier batches, with their metadata where that is amended.
async fn load(
    connection: &mut PgConnection,
    log: LogKey,
    changed: &[(&AccountName, &mut Change)],
) -> Result<HashMap<String, Option<String>>, sqlx::Error> {
    let stored: Vec<(String, Option<String>)> = sqlx::query_as(
        "select a.account, case when t.amended then a.metadata::text end
         from unnest($2::text[], $3::boolean[]) as t(account, amended)
         cross join lateral (
             select * from accounts as k
             where k.log = $1 and k.account between t.account and t.account order by k.account
         ) as a",
    )
    .bind(log.0)
    .bind(column(changed, |(name, _)| name.as_str()))
    .bind(column(changed, |(_, change)| change.amendment.is_some()))
    .fetch_all(connection)
    .await?;
    Ok(stored.into_iter().collect())
}

/// Writing, once all is settled.
impl Accounts {
    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let (mut opened, mut changed) = (Vec::new(), Vec::new());
        for account in &self.all {
            let Some(change) = account.change.as_deref() else { continue };
            match &change.opened {
                Some((at, event)) => opened.push(Opened { at: *at, event, change }),
                None => changed.push((&account.name, change)),
            }
        }
        if !opened.is_empty() {
            insert(connection, log, &opened).await?;
        }
        if !changed.is_empty() {
            update(connection, log, &changed).await?;
        }
        Ok(())
    }
}

struct Opened<'a> {
    at: At,
    event: &'a AccountOpened,
    change: &'a Change,
}

async fn insert(connection: &mut PgConnection, log: LogKey, rows: &[Opened<'_>]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into accounts (log, account, kind, overdraft, limits, assets, on_first_use, frozen_debits,
                               frozen_credits, closed, metadata, opening_metadata, opened_position, opened_at,
                               changed_position)
         select $1, account, kind, overdraft::json, limits::json, assets::json, on_first_use, frozen_debits,
                frozen_credits, closed, metadata::json, opening_metadata::json, opened_position, opened_at,
                changed_position
         from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::boolean[],
                     $9::boolean[], $10::boolean[], $11::text[], $12::text[], $13::bigint[], $14::timestamptz[],
                     $15::bigint[])
              as u(account, kind, overdraft, limits, assets, on_first_use, frozen_debits, frozen_credits, closed,
                   metadata, opening_metadata, opened_position, opened_at, changed_position)",
    )
    .bind(log.0)
    .bind(column(rows, |row| row.event.account.as_str()))
    .bind(column(rows, |row| row.event.kind.as_str()))
    .bind(column(rows, |row| json(row.change.overdraft.as_ref().unwrap_or(&row.event.overdraft))))
    .bind(column(rows, |row| json(row.change.limits.as_ref().unwrap_or(&row.event.limits))))
    .bind(column(rows, |row| json(&row.event.assets)))
    .bind(column(rows, |row| row.event.on_first_use))
    .bind(column(rows, |row| row.change.frozen_debits.unwrap_or(false)))
    .bind(column(rows, |row| row.change.frozen_credits.unwrap_or(false)))
    .bind(column(rows, |row| row.change.closed.unwrap_or(false)))
    .bind(column(rows, |row| row.change.metadata.clone().unwrap_or_else(|| json(&row.event.metadata))))
    .bind(sparse(rows, |row| row.change.metadata.as_ref().map(|_| json(&row.event.metadata))))
    .bind(column(rows, |row| row.at.position.0))
    .bind(column(rows, |row| row.at.recorded_at))
    .bind(column(rows, |row| row.change.span.last.0))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(
    connection: &mut PgConnection,
    log: LogKey,
    rows: &[(&AccountName, &Change)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update accounts as a
         set overdraft = coalesce(u.overdraft::json, a.overdraft),
             limits = coalesce(u.limits::json, a.limits),
             frozen_debits = coalesce(u.frozen_debits, a.frozen_debits),
             frozen_credits = coalesce(u.frozen_credits, a.frozen_credits),
             closed = coalesce(u.closed, a.closed),
             opening_metadata = case when u.metadata is null then a.opening_metadata
                                     else coalesce(a.opening_metadata, a.metadata) end,
             metadata = coalesce(u.metadata::json, a.metadata),
             changed_position = u.position
         from unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::boolean[], $8::text[],
                     $9::bigint[])
              as u(account, overdraft, limits, frozen_debits, frozen_credits, closed, metadata, position)
         cross join lateral (
             select k.ctid from accounts as k
             where k.log = $1 and k.account between u.account and u.account order by k.account
         ) as found
         where a.ctid = found.ctid",
    )
    .bind(log.0)
    .bind(column(rows, |(name, _)| name.as_str()))
    .bind(sparse(rows, |(_, change)| change.overdraft.as_ref().map(json)))
    .bind(sparse(rows, |(_, change)| change.limits.as_ref().map(json)))
    .bind(sparse(rows, |(_, change)| change.frozen_debits))
    .bind(sparse(rows, |(_, change)| change.frozen_credits))
    .bind(sparse(rows, |(_, change)| change.closed))
    .bind(sparse(rows, |(_, change)| change.metadata.as_deref()))
    .bind(column(rows, |(_, change)| change.span.last.0))
    .execute(connection)
    .await?;
    Ok(())
}
