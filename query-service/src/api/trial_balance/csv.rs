//! The trial balance as CSV: one line an account, in the layout in which journals keep their balances.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;

use super::super::amount::is_zero;
use super::stream::{Sink, Stopped};
use super::{TrialBalanceRow, rows};
use crate::read::{Snapshot, failed};

const HEAD: &[u8] = b"\"account\",\"balance\"\n";

pub(super) async fn write(
    mut snapshot: Snapshot,
    before: Option<DateTime<Utc>>,
    mut sink: Sink,
) -> Result<(), Stopped> {
    let log = snapshot.log();
    sink.write(HEAD).await?;
    let mut rows = rows::rows(snapshot.connection(), log, before);
    let mut line: Option<Line> = None;
    while let Some(row) = rows.try_next().await.map_err(|error| Stopped::Failed(failed(&error)))? {
        match &mut line {
            Some(line) if line.account == row.account => line.add(&row),
            _ => {
                let next = Line::of(&row);
                if let Some(done) = line.replace(next) {
                    sink.write(done.text().as_bytes()).await?;
                }
            }
        }
    }
    if let Some(done) = line {
        sink.write(done.text().as_bytes()).await?;
    }
    sink.flush().await
}

/// The line of an account, as its rows come in.
struct Line {
    account: String,
    /// Its balances that are not zero, joined.
    balance: String,
}

impl Line {
    fn of(row: &TrialBalanceRow) -> Line {
        let mut line = Line { account: row.account.clone(), balance: String::new() };
        line.add(row);
        line
    }

    fn add(&mut self, row: &TrialBalanceRow) {
        if is_zero(&row.net) {
            return;
        }
        if !self.balance.is_empty() {
            self.balance.push_str(", ");
        }
        self.balance.push_str(&row.formatted);
    }

    fn text(&self) -> String {
        let balance = if self.balance.is_empty() { "0" } else { &self.balance };
        format!("{},{}\n", quoted(&self.account), quoted(balance))
    }
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}
