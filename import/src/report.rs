//! The report of an import.

use std::fmt;

use recount_core::{LogName, Position};
use recount_writer::Refusal;

use crate::journal::{Journal, Transaction};

/// How many lines with postings of zero are listed; the others are only counted.
const ZERO_LINES_SHOWN_MAX: usize = 20;

/// The result of an import.
#[derive(Debug)]
pub struct Report {
    ledger: LogName,
    zero_lines: Vec<u64>,
    exchanges: usize,
    pub(crate) position: Position,
    pub(crate) ledger_created: bool,
    pub(crate) accounts: usize,
    pub(crate) accounts_opened: usize,
    pub(crate) posted: usize,
    pub(crate) already_present: usize,
    refused: Vec<String>,
}

impl Report {
    pub(crate) fn new(ledger: LogName, position: Position, journal: &Journal) -> Report {
        Report {
            ledger,
            zero_lines: journal.zero_lines.clone(),
            exchanges: journal.exchanges,
            position,
            ledger_created: false,
            accounts: 0,
            accounts_opened: 0,
            posted: 0,
            already_present: 0,
            refused: Vec::new(),
        }
    }

    /// Whether no transaction was refused.
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    pub(crate) fn refuse(&mut self, transaction: &Transaction, refusal: &Refusal) {
        self.refused
            .push(format!("line {}: transaction {}: {}", transaction.line, transaction.name, refusal.detail));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ledger_created {
            writeln!(f, "Ledger {} was created.", self.ledger)?;
        }
        writeln!(f, "Accounts: {} ({} newly opened).", self.accounts, self.accounts_opened)?;
        writeln!(
            f,
            "Transactions: {} posted, {} already present, {} refused.",
            self.posted,
            self.already_present,
            self.refused.len()
        )?;
        self.refused.iter().try_for_each(|refused| writeln!(f, "  {refused}"))?;
        if !self.zero_lines.is_empty() {
            let listed = self.zero_lines.iter().take(ZERO_LINES_SHOWN_MAX);
            let lines: Vec<String> = listed.map(u64::to_string).collect();
            let more = match self.zero_lines.len() - lines.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            writeln!(f, "Postings of zero were skipped: line {}{more}.", lines.join(", "))?;
        }
        if self.exchanges > 0 {
            writeln!(
                f,
                "Exchanges: {}, with the other side posted to the conversion account.",
                self.exchanges
            )?;
        }
        // The read models lag behind: a query without the header may see only a part.
        let (ledger, position) = (&self.ledger, self.position);
        writeln!(
            f,
            "Ledger {ledger} is at position {position}; send Recount-At-Least: {position} with queries to see all of it."
        )
    }
}
