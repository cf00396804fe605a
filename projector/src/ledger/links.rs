//! The table `customer_accounts`: the links between customers and accounts.

use std::collections::{BTreeMap, HashSet};

use recount_core::LogKey;
use recount_events::ledger::{AccountName, CustomerId};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::rows::{EventStamp, column, contradiction};

/// The links that a batch adds or removes.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<LinkKey, Link>);

type LinkKey = (CustomerId, AccountName);

#[derive(Debug)]
struct Link {
    /// Whether the batch's first event about the link requires an earlier batch to have added it.
    linked_earlier: bool,
    /// The batch's first event about the link.
    first: EventStamp,
    /// The event that added the link; `None` if it is removed after the batch.
    linked: Option<EventStamp>,
}

impl Links {
    pub(super) fn link(
        &mut self,
        at: EventStamp,
        customer: CustomerId,
        account: AccountName,
    ) -> Result<(), ApplyError> {
        self.set(at, customer, account, true)
    }

    pub(super) fn unlink(
        &mut self,
        at: EventStamp,
        customer: CustomerId,
        account: AccountName,
    ) -> Result<(), ApplyError> {
        self.set(at, customer, account, false)
    }

    fn set(
        &mut self,
        at: EventStamp,
        customer: CustomerId,
        account: AccountName,
        linked: bool,
    ) -> Result<(), ApplyError> {
        let key = (customer, account);
        match self.0.get_mut(&key) {
            Some(link) if link.linked.is_some() == linked => return Err(no_change(at, &key, linked)),
            Some(link) => link.linked = linked.then_some(at),
            None => {
                let link = Link { linked_earlier: !linked, first: at, linked: linked.then_some(at) };
                self.0.insert(key, link);
            }
        }
        Ok(())
    }

    /// Checks that added links are not stored yet, and that removed links are.
    pub(super) async fn check_stored(
        &self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), ApplyError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let keys: Vec<&LinkKey> = self.0.keys().collect();
        let stored: Vec<(String, String)> = sqlx::query_as(
            "select l.customer, l.account
             from unnest($2::text[], $3::text[]) as t(customer, account)
             cross join lateral (
                 select * from customer_accounts as k
                 where k.log = $1 and k.customer = t.customer and k.account between t.account and t.account
                 order by k.account
             ) as l",
        )
        .bind(log.0)
        .bind(column(&keys, |(customer, _)| customer.as_str()))
        .bind(column(&keys, |(_, account)| account.as_str()))
        .fetch_all(connection)
        .await?;
        let stored: HashSet<(&str, &str)> =
            stored.iter().map(|(customer, account)| (customer.as_str(), account.as_str())).collect();
        for (key, link) in &self.0 {
            let is_stored = stored.contains(&(key.0.as_str(), key.1.as_str()));
            if is_stored != link.linked_earlier {
                return Err(no_change(link.first, key, is_stored));
            }
        }
        Ok(())
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let removed: Vec<&LinkKey> =
            self.0.iter().filter(|(_, link)| link.linked_earlier).map(|(key, _)| key).collect();
        if !removed.is_empty() {
            delete(connection, log, &removed).await?;
        }
        // A link that was removed and added again is a new row.
        let added: Vec<(&LinkKey, EventStamp)> =
            self.0.iter().filter_map(|(key, link)| Some((key, link.linked?))).collect();
        if !added.is_empty() {
            insert(connection, log, &added).await?;
        }
        Ok(())
    }
}

/// The event links an account that is already linked, or unlinks one that is not.
fn no_change(at: EventStamp, (customer, account): &LinkKey, linked: bool) -> ApplyError {
    let state = if linked { "is already linked" } else { "is not linked" };
    contradiction(at.position, format!("account `{account}` {state} to customer `{customer}`"))
}

async fn delete(connection: &mut PgConnection, log: LogKey, rows: &[&LinkKey]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from customer_accounts as l using unnest($2::text[], $3::text[]) as u(customer, account)
         cross join lateral (
             select k.ctid from customer_accounts as k
             where k.log = $1 and k.customer = u.customer and k.account between u.account and u.account
             order by k.account
         ) as found
         where l.ctid = found.ctid",
    )
    .bind(log.0)
    .bind(column(rows, |(customer, _)| customer.as_str()))
    .bind(column(rows, |(_, account)| account.as_str()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    log: LogKey,
    rows: &[(&LinkKey, EventStamp)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into customer_accounts (log, customer, account, linked_position, linked_at)
         select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::timestamptz[])",
    )
    .bind(log.0)
    .bind(column(rows, |((customer, _), _)| customer.as_str()))
    .bind(column(rows, |((_, account), _)| account.as_str()))
    .bind(column(rows, |(_, at)| at.position.0))
    .bind(column(rows, |(_, at)| at.recorded_at))
    .execute(connection)
    .await?;
    Ok(())
}
