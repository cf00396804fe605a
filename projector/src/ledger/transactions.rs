//! The table `transactions`: each posted transaction with its entries, current metadata and reversals.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use recount_core::{LogKey, Position};
use recount_events::ledger::{HoldId, Reference, TransactionId, TransactionPosted};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::metadata::Amendment;
use super::rows::{EventStamp, column, contradiction, json, sparse_column, storable_time};

/// The transactions that a batch posts, to which entries refer by index, and those that it changes.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    posted: Vec<NewTransaction>,
    /// In order of the id, so that neighbouring rows are looked up together.
    changed: BTreeMap<TransactionId, Change>,
}

/// The index of a transaction among those that the batch posts. Indices follow positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TransactionIndex(usize);

#[derive(Debug)]
pub(super) struct NewTransaction {
    pub(super) position: Position,
    pub(super) transaction: TransactionId,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) recorded_at: DateTime<Utc>,
    reference: Option<Reference>,
    metadata_json: String,
    /// The metadata at posting, if the batch amended it.
    posting_metadata_json: Option<String>,
    entries_json: String,
    reverses: Option<TransactionId>,
    captures: Option<HoldId>,
}

/// A change of a transaction that this batch or an earlier one posted.
#[derive(Debug)]
struct Change {
    /// The first event that requires the transaction to be posted.
    first: Position,
    amendment: Option<Amendment>,
    /// The metadata after the amendment, if an earlier batch posted the transaction.
    metadata_json: Option<String>,
}

impl Transactions {
    pub(super) fn post(&mut self, at: EventStamp, event: TransactionPosted) {
        if let Some(reversed) = &event.reverses {
            self.change(at, reversed);
        }
        self.posted.push(NewTransaction {
            position: at.position,
            transaction: event.transaction,
            effective_at: event.effective_at,
            recorded_at: at.recorded_at,
            reference: event.reference,
            metadata_json: json(&event.metadata),
            posting_metadata_json: None,
            entries_json: json(&event.entries),
            reverses: event.reverses,
            captures: event.captures.map(|capture| capture.hold),
        });
    }

    pub(super) fn get(&self, index: TransactionIndex) -> &NewTransaction {
        &self.posted[index.0]
    }

    /// The index of the transaction that is posted next.
    pub(super) fn next_index(&self) -> TransactionIndex {
        TransactionIndex(self.posted.len())
    }

    pub(super) fn amend(&mut self, at: EventStamp, transaction: &TransactionId) -> &mut Amendment {
        self.change(at, transaction).amendment.get_or_insert_default()
    }

    fn change(&mut self, at: EventStamp, transaction: &TransactionId) -> &mut Change {
        self.changed.entry(transaction.clone()).or_insert_with(|| Change {
            first: at.position,
            amendment: None,
            metadata_json: None,
        })
    }

    /// Checks that each changed transaction was posted, and amends its metadata.
    pub(super) async fn check_and_amend(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), ApplyError> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let of_this_batch = self.posted.iter_mut().filter(|new| self.changed.contains_key(&new.transaction));
        let mut of_this_batch: HashMap<TransactionId, &mut NewTransaction> =
            of_this_batch.map(|new| (new.transaction.clone(), new)).collect();
        let mut earlier: Vec<(&TransactionId, &mut Change)> = Vec::new();
        for (transaction, change) in &mut self.changed {
            match of_this_batch.get_mut(transaction) {
                Some(new) if change.first <= new.position => {
                    return Err(never_posted(change.first, transaction));
                }
                Some(new) => new.amend(change.amendment.as_ref())?,
                None => earlier.push((transaction, change)),
            }
        }
        if earlier.is_empty() {
            return Ok(());
        }
        let mut stored = select(connection, log, &earlier).await?;
        for (transaction, change) in earlier {
            let metadata =
                stored.remove(transaction.as_str()).ok_or_else(|| never_posted(change.first, transaction))?;
            if let (Some(amendment), Some(metadata)) = (&change.amendment, metadata) {
                change.metadata_json = Some(amendment.amend_stored(&metadata)?);
            }
        }
        Ok(())
    }
}

impl NewTransaction {
    fn amend(&mut self, amendment: Option<&Amendment>) -> Result<(), sqlx::Error> {
        if let Some(amendment) = amendment {
            let amended = amendment.amend_stored(&self.metadata_json)?;
            self.posting_metadata_json = Some(std::mem::replace(&mut self.metadata_json, amended));
        }
        Ok(())
    }
}

fn never_posted(position: Position, transaction: &TransactionId) -> ApplyError {
    contradiction(position, format!("there is no transaction `{transaction}`"))
}

/// Those of the changed transactions that earlier batches posted. Metadata is included where the batch amends it.
async fn select(
    connection: &mut PgConnection,
    log: LogKey,
    changed: &[(&TransactionId, &mut Change)],
) -> Result<HashMap<String, Option<String>>, sqlx::Error> {
    let stored: Vec<(String, Option<String>)> = sqlx::query_as(
        "select s.transaction, case when t.amended then s.metadata::text end
         from unnest($2::text[], $3::boolean[]) as t(transaction, amended)
         cross join lateral (
             select * from transactions as k
             where k.log = $1 and k.transaction between t.transaction and t.transaction order by k.transaction
         ) as s",
    )
    .bind(log.0)
    .bind(column(changed, |(transaction, _)| transaction.as_str()))
    .bind(column(changed, |(_, change)| change.amendment.is_some()))
    .fetch_all(connection)
    .await?;
    Ok(stored.into_iter().collect())
}

/// Writing, after the checks.
impl Transactions {
    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        if !self.posted.is_empty() {
            self.insert(connection, log).await?;
        }
        if !self.changed.is_empty() {
            self.add_reversals(connection, log).await?;
            self.update_metadata(connection, log).await?;
        }
        Ok(())
    }

    async fn insert(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let rows = &self.posted;
        sqlx::query(
            "insert into transactions (log, position, transaction, effective_at, recorded_at, reference, metadata,
                                       posting_metadata, entries, reverses, captures)
             select $1, position, transaction, effective_at, recorded_at, reference, metadata::json,
                    posting_metadata::json, entries::json, reverses, captures
             from unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[],
                         $8::text[], $9::text[], $10::text[], $11::text[])
                  as u(position, transaction, effective_at, recorded_at, reference, metadata, posting_metadata,
                       entries, reverses, captures)",
        )
        .bind(log.0)
        .bind(column(rows, |row| row.position.0))
        .bind(column(rows, |row| row.transaction.as_str()))
        .bind(column(rows, |row| storable_time(row.effective_at)))
        .bind(column(rows, |row| row.recorded_at))
        .bind(sparse_column(rows, |row| row.reference.as_ref().map(Reference::as_str)))
        .bind(column(rows, |row| row.metadata_json.as_str()))
        .bind(sparse_column(rows, |row| row.posting_metadata_json.as_deref()))
        .bind(column(rows, |row| row.entries_json.as_str()))
        .bind(sparse_column(rows, |row| row.reverses.as_ref().map(TransactionId::as_str)))
        .bind(sparse_column(rows, |row| row.captures.as_ref().map(HoldId::as_str)))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Runs after the insert, because a transaction of the batch may be reversed in the same batch.
    async fn add_reversals(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let rows: Vec<(&NewTransaction, &TransactionId)> =
            self.posted.iter().filter_map(|row| Some((row, row.reverses.as_ref()?))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update transactions as t set reversals = t.reversals || u.reversals
             from (
                 select reversed, array_agg(reversal order by position) as reversals
                 from unnest($2::text[], $3::text[], $4::bigint[]) as r(reversed, reversal, position)
                 group by reversed
             ) as u
             cross join lateral (
                 select k.ctid from transactions as k
                 where k.log = $1 and k.transaction between u.reversed and u.reversed order by k.transaction
             ) as found
             where t.ctid = found.ctid",
        )
        .bind(log.0)
        .bind(column(&rows, |(_, reversed)| reversed.as_str()))
        .bind(column(&rows, |(reversal, _)| reversal.transaction.as_str()))
        .bind(column(&rows, |(reversal, _)| reversal.position.0))
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn update_metadata(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let rows: Vec<(&str, &str)> = self
            .changed
            .iter()
            .filter_map(|(transaction, change)| {
                Some((transaction.as_str(), change.metadata_json.as_deref()?))
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update transactions as t
             set posting_metadata = coalesce(t.posting_metadata, t.metadata), metadata = u.metadata::json
             from unnest($2::text[], $3::text[]) as u(transaction, metadata)
             cross join lateral (
                 select k.ctid from transactions as k
                 where k.log = $1 and k.transaction between u.transaction and u.transaction order by k.transaction
             ) as found
             where t.ctid = found.ctid",
        )
        .bind(log.0)
        .bind(column(&rows, |(transaction, _)| *transaction))
        .bind(column(&rows, |(_, metadata)| *metadata))
        .execute(connection)
        .await?;
        Ok(())
    }
}
