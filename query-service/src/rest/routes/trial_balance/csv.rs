//! The trial balance as CSV: one line for each account, in the layout that journals use for balances.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;

use super::stream::{Sink, StreamError};
use crate::questions::amount::is_zero;
use crate::questions::trial_balance::{self, TrialBalanceRow};
use crate::read::Snapshot;

const HEAD: &[u8] = b"\"account\",\"balance\"\n";

pub(super) async fn write(
    mut snapshot: Snapshot,
    before: Option<DateTime<Utc>>,
    mut sink: Sink,
) -> Result<(), StreamError> {
    sink.write(HEAD).await?;
    let mut rows = trial_balance::rows(&mut snapshot, before);
    let mut line: Option<Line> = None;
    while let Some(row) = rows.try_next().await? {
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

/// The line of an account, built from its rows.
struct Line {
    account: String,
    /// The balances that are not zero, joined.
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
