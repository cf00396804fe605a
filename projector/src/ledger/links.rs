//! The table `customer_accounts`: which account is whose.

use std::collections::{BTreeMap, HashSet};

use recount_core::LogKey;
use recount_events::ledger::{AccountName, CustomerId};
use sqlx::PgConnection;

use super::contradiction;
use super::rows::{At, column};
use recount_projection::ApplyError;

/// The links that a batch makes or unmakes.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<(CustomerId, AccountName), Link>);

#[derive(Debug)]
struct Link {
    /// Whether the first event of the batch takes it for made.
    earlier: bool,
    first: At,
    /// The event that made it, if it is made in the end.
    made: Option<At>,
}

impl Links {
    pub(super) fn make(
        &mut self,
        at: At,
        customer: CustomerId,
        account: AccountName,
    ) -> Result<(), ApplyError> {
        self.set(at, customer, account, true)
    }

    pub(super) fn unmake(
        &mut self,
        at: At,
        customer: CustomerId,
        account: AccountName,
    ) -> Result<(), ApplyError> {
        self.set(at, customer, account, false)
    }

    fn set(
        &mut self,
        at: At,
        customer: CustomerId,
        account: AccountName,
        made: bool,
    ) -> Result<(), ApplyError> {
        let key = (customer, account);
        match self.0.get_mut(&key) {
            Some(link) if link.made.is_some() == made => return Err(is_so(at, &key, made)),
            Some(link) => link.made = made.then_some(at),
            None => {
                self.0.insert(key, Link { earlier: !made, first: at, made: made.then_some(at) });
            }
        }
        Ok(())
    }

    /// Makes sure that what is made was not there, and what is unmade was.
    pub(super) async fn settle(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), ApplyError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let keys: Vec<&(CustomerId, AccountName)> = self.0.keys().collect();
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
            let there = stored.contains(&(key.0.as_str(), key.1.as_str()));
            if there != link.earlier {
                return Err(is_so(link.first, key, there));
            }
        }
        Ok(())
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let unmade: Vec<&(CustomerId, AccountName)> =
            self.0.iter().filter(|(_, link)| link.earlier).map(|(key, _)| key).collect();
        if !unmade.is_empty() {
            delete(connection, log, &unmade).await?;
        }
        // One that was unmade and made again is another one.
        let made: Vec<(&(CustomerId, AccountName), At)> =
            self.0.iter().filter_map(|(key, link)| Some((key, link.made?))).collect();
        if !made.is_empty() {
            insert(connection, log, &made).await?;
        }
        Ok(())
    }
}

fn is_so(at: At, (customer, account): &(CustomerId, AccountName), linked: bool) -> ApplyError {
    let how = if linked { "is linked" } else { "is not linked" };
    contradiction(at.position, format!("`{account}` {how} to customer `{customer}`"))
}

async fn delete(
    connection: &mut PgConnection,
    log: LogKey,
    rows: &[&(CustomerId, AccountName)],
) -> Result<(), sqlx::Error> {
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
    rows: &[(&(CustomerId, AccountName), At)],
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
