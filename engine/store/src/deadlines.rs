//! Deadlines: the names that fall due in a log, and when. Events set and clear them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_core::{LogKey, LogName};
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::logs::{column, log_name};
use crate::reader::LogReader;

/// A change that an event makes to the deadlines of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadlineChange {
    /// The name falls due at this time, which replaces its previous one. A name is unique in its log, has one line, and
    /// has about 2,500 bytes at most, because it has to fit into an index.
    Set { name: String, at: DateTime<Utc> },
    /// The name no longer falls due.
    Clear { name: String },
}

/// A deadline. Deadlines are ordered by the time at which they are due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    pub due_at: DateTime<Utc>,
    pub log: LogKey,
    pub name: String,
    pub log_name: LogName,
}

/// When deadlines are due, by the clock of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextDeadline {
    /// What the clock says.
    pub now: DateTime<Utc>,
    /// The earliest of all; it may be in the past.
    pub first: Option<DateTime<Utc>>,
    /// The earliest that is still to come.
    pub next: Option<DateTime<Utc>>,
}

/// The changes of a batch: the last one for each name.
#[derive(Debug, Default)]
pub(crate) struct DeadlineChanges {
    by_name: BTreeMap<String, Option<DateTime<Utc>>>,
}

impl DeadlineChanges {
    pub(crate) fn push(&mut self, change: DeadlineChange) {
        match change {
            DeadlineChange::Set { name, at } => self.by_name.insert(name, Some(at)),
            DeadlineChange::Clear { name } => self.by_name.insert(name, None),
        };
    }

    /// The names, and for each when it is due, or `None` if it is cleared.
    pub(crate) fn arrays(&self) -> (Vec<&str>, Vec<Option<DateTime<Utc>>>) {
        self.by_name.iter().map(|(name, at)| (name.as_str(), *at)).unzip()
    }
}

impl LogReader {
    /// The deadlines of all logs that are due by the database's clock and follow `after`, in order. Returns fewer than
    /// `limit` only if there are no more.
    pub async fn due_deadlines(
        &self,
        after: Option<&Deadline>,
        limit: u32,
    ) -> Result<Vec<Deadline>, StoreError> {
        // The clock in a query of its own: as a plain call it would be asked for each row, and no index could end the scan.
        let rows = sqlx::query(
            "select log, name, due_at, (select l.name from store.logs l where l.log = d.log) as log_name
             from store.deadlines d
             where due_at <= (select clock_timestamp()) and (due_at, log, name) > (coalesce($1, '-infinity'), $2, $3)
             order by due_at, log, name limit $4",
        )
        .bind(after.map(|after| after.due_at))
        .bind(after.map_or(i64::MIN, |after| after.log.0))
        .bind(after.map_or("", |after| &after.name))
        .bind(i64::from(limit))
        .fetch_all(self.look())
        .await
        .map_err(StoreError::from_read)?;
        rows.iter().map(read_deadline).collect()
    }

    /// The earliest due time of all deadlines of all logs, and the earliest that is still to come, by the database's clock.
    pub async fn next_deadline(&self) -> Result<NextDeadline, StoreError> {
        let row = sqlx::query(
            "select n.now, (select min(due_at) from store.deadlines) as first,
                    (select min(due_at) from store.deadlines where due_at > n.now) as next
             from (select clock_timestamp() as now offset 0) as n",
        )
        .fetch_one(self.brief())
        .await
        .map_err(StoreError::from_read)?;
        Ok(NextDeadline {
            now: column(&row, "now")?,
            first: column(&row, "first")?,
            next: column(&row, "next")?,
        })
    }
}

fn read_deadline(row: &PgRow) -> Result<Deadline, StoreError> {
    Ok(Deadline {
        due_at: column(row, "due_at")?,
        log: LogKey(column(row, "log")?),
        name: column(row, "name")?,
        log_name: log_name(row, "log_name")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, seconds: i64) -> DeadlineChange {
        DeadlineChange::Set { name: name.to_owned(), at: time(seconds) }
    }

    fn clear(name: &str) -> DeadlineChange {
        DeadlineChange::Clear { name: name.to_owned() }
    }

    fn time(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_last_of_several_changes_to_one_name_counts() {
        let mut changes = DeadlineChanges::default();
        assert!(changes.arrays().0.is_empty());
        for change in [set("a", 1), clear("b"), set("c", 2), set("a", 3), set("b", 4), clear("c")] {
            changes.push(change);
        }
        let (names, due_at) = changes.arrays();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(due_at, [Some(time(3)), Some(time(4)), None]);
    }
}
