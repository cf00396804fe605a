//! The history of the metadata of an account or a transaction.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use super::{Entity, PageRequest, QuestionError, Rows};
use crate::read::Snapshot;

/// A change of metadata. The first one holds the metadata with which the account was opened or the transaction posted, even
/// if that was empty.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetadataChange {
    /// The position of the event that made the change.
    #[schema(example = 71)]
    pub(crate) position: i64,
    pub(crate) recorded_at: DateTime<Utc>,
    /// The members that were set, with their new values.
    #[schema(value_type = Object)]
    pub(crate) set: Box<RawValue>,
    /// The names of the members that were removed.
    #[schema(value_type = Vec<String>, example = json!(["note"]))]
    pub(crate) removed: Box<RawValue>,
}

impl FromRow<'_, PgRow> for MetadataChange {
    fn from_row(row: &PgRow) -> Result<MetadataChange, sqlx::Error> {
        let Json(set) = row.try_get("set_members")?;
        let Json(removed) = row.try_get("removed_keys")?;
        Ok(MetadataChange {
            position: row.try_get("position")?,
            recorded_at: row.try_get("recorded_at")?,
            set,
            removed,
        })
    }
}

/// The owner of metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner<'a> {
    Account(&'a str),
    Transaction(&'a str),
}

impl<'a> Owner<'a> {
    fn entity_and_name(self) -> (Entity, &'a str) {
        match self {
            Owner::Account(name) => (Entity::Account, name),
            Owner::Transaction(id) => (Entity::Transaction, id),
        }
    }
}

/// The changes of the owner's metadata, in the order of recording. The key is the position of a change.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    owner: Owner<'_>,
    page: &PageRequest<i64>,
) -> Result<Rows<MetadataChange, i64>, QuestionError> {
    let log = snapshot.log();
    let (entity, name) = owner.entity_and_name();
    let changes: Vec<MetadataChange> = sqlx::query_as(
        "select position, recorded_at, set_members, removed_keys from read.metadata_history \
         where log = $1 and owner_kind = $2 and owner = $3 and position > $4 order by position limit $5",
    )
    .bind(log)
    .bind(entity.as_str())
    .bind(name)
    .bind(page.after.unwrap_or(0))
    .bind(page.fetch_limit())
    .fetch_all(snapshot.connection())
    .await?;
    // Every owner has at least its first change.
    if changes.is_empty() && page.after.is_none() {
        return Err(QuestionError::not_found(entity, name));
    }
    Ok(page.rows(changes, |change| change.position))
}
