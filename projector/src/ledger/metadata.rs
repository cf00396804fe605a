//! Changes of metadata after its owner was opened or posted, and the table `metadata_changes`, which keeps each of
//! them.
//!
//! The current metadata is in the owner's row, in `accounts` or `transactions`.

use std::collections::BTreeSet;

use recount_core::LogKey;
use recount_events::ledger::{Metadata, MetadataOwner};
use sqlx::PgConnection;

use super::rows::{EventStamp, column, json};

/// The net change of one owner's metadata by a batch.
#[derive(Debug, Default)]
pub(super) struct Amendment {
    set: Metadata,
    removed: BTreeSet<String>,
}

impl Amendment {
    pub(super) fn set(&mut self, members: &Metadata) {
        self.removed.retain(|key| !members.contains_key(key));
        self.set.extend(members.clone());
    }

    pub(super) fn remove(&mut self, keys: &[String]) {
        self.set.retain(|key, _| !keys.contains(key));
        self.removed.extend(keys.iter().cloned());
    }

    /// The metadata after the change, as JSON text.
    pub(super) fn amend(&self, mut metadata: Metadata) -> String {
        metadata.retain(|key, _| !self.removed.contains(key));
        metadata.extend(self.set.clone());
        json(&metadata)
    }

    /// The same for metadata that is stored as JSON text.
    pub(super) fn amend_stored(&self, metadata: &str) -> Result<String, sqlx::Error> {
        let metadata = serde_json::from_str(metadata);
        metadata.map(|metadata| self.amend(metadata)).map_err(|error| sqlx::Error::Decode(error.into()))
    }
}

/// The rows that a batch adds to `metadata_changes`.
#[derive(Debug, Default)]
pub(super) struct MetadataChanges(Vec<MetadataChange>);

#[derive(Debug)]
struct MetadataChange {
    at: EventStamp,
    owner: MetadataOwner,
    set_members: Metadata,
    removed_keys: Vec<String>,
}

impl MetadataChanges {
    pub(super) fn set(&mut self, at: EventStamp, owner: MetadataOwner, members: Metadata) {
        self.0.push(MetadataChange { at, owner, set_members: members, removed_keys: Vec::new() });
    }

    pub(super) fn remove(&mut self, at: EventStamp, owner: MetadataOwner, keys: Vec<String>) {
        self.0.push(MetadataChange { at, owner, set_members: Metadata::new(), removed_keys: keys });
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let rows = &self.0;
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into metadata_changes (log, owner_kind, owner, position, recorded_at, set_members, removed_keys)
             select $1, owner_kind, owner, position, recorded_at, set_members::json, removed_keys::json
             from unnest($2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[])
                  as u(owner_kind, owner, position, recorded_at, set_members, removed_keys)",
        )
        .bind(log.0)
        .bind(column(rows, |row| kind_and_name(&row.owner).0))
        .bind(column(rows, |row| kind_and_name(&row.owner).1))
        .bind(column(rows, |row| row.at.position.0))
        .bind(column(rows, |row| row.at.recorded_at))
        .bind(column(rows, |row| json(&row.set_members)))
        .bind(column(rows, |row| json(&row.removed_keys)))
        .execute(connection)
        .await?;
        Ok(())
    }
}

fn kind_and_name(owner: &MetadataOwner) -> (&'static str, &str) {
    match owner {
        MetadataOwner::Account(account) => ("account", account.as_str()),
        MetadataOwner::Transaction(transaction) => ("transaction", transaction.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(json: &str) -> Metadata {
        serde_json::from_str(json).expect("it is an object")
    }

    #[test]
    fn an_amendment_equals_its_changes_applied_one_by_one() {
        let mut amendment = Amendment::default();
        amendment.set(&metadata(r#"{"a":2,"b":2}"#));
        amendment.remove(&["b".to_owned(), "c".to_owned(), "d".to_owned()]);
        amendment.set(&metadata(r#"{"d":{"x":1}}"#));
        let stored = r#"{"a":1,"b":1,"c":1,"d":1,"e":1.5}"#;
        assert_eq!(
            amendment.amend_stored(stored).expect("it is an object"),
            r#"{"a":2,"d":{"x":1},"e":1.5}"#
        );
        assert_eq!(amendment.amend(metadata("{}")), r#"{"a":2,"d":{"x":1}}"#);
    }
}
