//! The table `accounts`: the kind, policies, state and metadata of each account. Balances have a table of their own.

use std::collections::HashMap;

use recount_core::{LogKey, Position};
use recount_events::ledger::{
    AccountKind, AccountName, AccountOpened, BalanceLimit, Direction, FreezeScope, Overdraft,
};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::metadata::Amendment;
use super::rows::{EventStamp, Span, column, contradiction, json, sparse_column};

/// The accounts in a batch. Other tables refer to them by index.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    all: Vec<Account>,
    index: HashMap<AccountName, AccountIndex>,
}

/// The index of an account in [`Accounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AccountIndex(usize);

#[derive(Debug)]
struct Account {
    name: AccountName,
    /// Changes of the account's own row; `None` if only transactions and holds concern the account.
    change: Option<Box<Change>>,
}

#[derive(Debug)]
struct Change {
    opened: Option<(EventStamp, AccountOpened)>,
    /// The first event that opens the account after an event of this batch that requires it to be open.
    opened_again: Option<Position>,
    overdraft: Option<Overdraft>,
    limits: Option<Vec<BalanceLimit>>,
    frozen_debits: Option<bool>,
    frozen_credits: Option<bool>,
    closed: Option<bool>,
    amendment: Option<Amendment>,
    /// The metadata after the amendment.
    metadata: Option<String>,
    span: Span,
}

impl Accounts {
    /// The index of the account, which is added if it is new to the batch.
    pub(super) fn index_of(&mut self, name: &AccountName) -> AccountIndex {
        if let Some(&index) = self.index.get(name) {
            return index;
        }
        let index = AccountIndex(self.all.len());
        self.index.insert(name.clone(), index);
        self.all.push(Account { name: name.clone(), change: None });
        index
    }

    pub(super) fn name(&self, index: AccountIndex) -> &AccountName {
        &self.all[index.0].name
    }

    /// The kind of the account and the position at which it was opened, if this batch opens it.
    pub(super) fn opened(&self, index: AccountIndex) -> Option<(AccountKind, Position)> {
        let (at, event) = self.all[index.0].change.as_ref()?.opened.as_ref()?;
        Some((event.kind, at.position))
    }

    pub(super) fn open(&mut self, at: EventStamp, event: AccountOpened) -> Result<(), ApplyError> {
        let index = self.index_of(&event.account);
        match self.all[index.0].change.as_deref_mut() {
            None => {
                let account = event.account.clone();
                self.change(at, &account).opened = Some((at, event));
            }
            Some(change) if change.opened.is_some() => {
                return Err(already_opened(at.position, &event.account));
            }
            // If an earlier batch opened the account, this event is the contradiction; otherwise the one before it is.
            // That is known once the stored accounts are loaded.
            Some(change) => change.opened_again = change.opened_again.or(Some(at.position)),
        }
        Ok(())
    }

    pub(super) fn freeze(&mut self, at: EventStamp, account: &AccountName, scope: FreezeScope, frozen: bool) {
        let change = self.change(at, account);
        if scope.covers(Direction::Debit) {
            change.frozen_debits = Some(frozen);
        }
        if scope.covers(Direction::Credit) {
            change.frozen_credits = Some(frozen);
        }
    }

    pub(super) fn close(&mut self, at: EventStamp, account: &AccountName) {
        self.change(at, account).closed = Some(true);
    }

    pub(super) fn set_overdraft(&mut self, at: EventStamp, account: &AccountName, overdraft: Overdraft) {
        self.change(at, account).overdraft = Some(overdraft);
    }

    pub(super) fn set_limits(&mut self, at: EventStamp, account: &AccountName, limits: Vec<BalanceLimit>) {
        self.change(at, account).limits = Some(limits);
    }

    pub(super) fn amend(&mut self, at: EventStamp, account: &AccountName) -> &mut Amendment {
        self.change(at, account).amendment.get_or_insert_default()
    }

    /// Notes an event that concerns the account without changing it.
    pub(super) fn touch(&mut self, at: EventStamp, account: &AccountName) {
        self.change(at, account);
    }

    fn change(&mut self, at: EventStamp, account: &AccountName) -> &mut Change {
        let index = self.index_of(account);
        let change = self.all[index.0].change.get_or_insert_with(|| {
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

    /// Checks that each changed account was opened, and amends its metadata.
    pub(super) async fn check_and_amend(
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
        let mut stored = select(connection, log, &earlier).await?;
        for (name, change) in earlier {
            let metadata =
                stored.remove(name.as_str()).ok_or_else(|| never_opened(change.span.first, name))?;
            if let Some(position) = change.opened_again {
                return Err(already_opened(position, name));
            }
            if let (Some(amendment), Some(metadata)) = (&change.amendment, metadata) {
                change.metadata = Some(amendment.amend_stored(&metadata)?);
            }
        }
        Ok(())
    }
}

pub(super) fn never_opened(position: Position, account: &AccountName) -> ApplyError {
    contradiction(position, format!("account `{account}` was never opened"))
}

fn already_opened(position: Position, account: &AccountName) -> ApplyError {
    contradiction(position, format!("account `{account}` was already opened"))
}

/// Those of the changed accounts that earlier batches opened. Metadata is included where the batch amends it.
async fn select(
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

/// Writing, after the checks.
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
    at: EventStamp,
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
    .bind(sparse_column(rows, |row| row.change.metadata.as_ref().map(|_| json(&row.event.metadata))))
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
    .bind(sparse_column(rows, |(_, change)| change.overdraft.as_ref().map(json)))
    .bind(sparse_column(rows, |(_, change)| change.limits.as_ref().map(json)))
    .bind(sparse_column(rows, |(_, change)| change.frozen_debits))
    .bind(sparse_column(rows, |(_, change)| change.frozen_credits))
    .bind(sparse_column(rows, |(_, change)| change.closed))
    .bind(sparse_column(rows, |(_, change)| change.metadata.as_deref()))
    .bind(column(rows, |(_, change)| change.span.last.0))
    .execute(connection)
    .await?;
    Ok(())
}
