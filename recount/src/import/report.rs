//! What an import tells at its end.

use std::fmt;

use recount_core::{LogName, Position};
use recount_writer::Refusal;

use super::journal::{Journal, Transaction};

/// Lines of postings of zero that are named; the number of the others is.
const ZERO_LINES_SHOWN_MAX: usize = 20;

/// What became of a journal.
#[derive(Debug)]
pub(super) struct Report {
    ledger: LogName,
    zero_lines: Vec<u64>,
    exchanges: usize,
    pub(super) position: Position,
    pub(super) ledger_created: bool,
    pub(super) accounts: usize,
    pub(super) accounts_opened: usize,
    pub(super) posted: usize,
    pub(super) there_already: usize,
    refused: Vec<String>,
}

impl Report {
    pub(super) fn new(ledger: LogName, position: Position, journal: &Journal) -> Report {
        Report {
            ledger,
            zero_lines: journal.zero_lines.clone(),
            exchanges: journal.exchanges,
            position,
            ledger_created: false,
            accounts: 0,
            accounts_opened: 0,
            posted: 0,
            there_already: 0,
            refused: Vec::new(),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    pub(super) fn refuse(&mut self, transaction: &Transaction, refusal: &Refusal) {
        self.refused
            .push(format!("line {}: transaction {}: {}", transaction.line, transaction.name, refusal.detail));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ledger_created {
            writeln!(f, "Ledger {} was created.", self.ledger)?;
        }
        writeln!(f, "Accounts: {}, of which {} were opened now.", self.accounts, self.accounts_opened)?;
        writeln!(
            f,
            "Transactions: {} posted, {} were there already, {} refused.",
            self.posted,
            self.there_already,
            self.refused.len()
        )?;
        self.refused.iter().try_for_each(|refused| writeln!(f, "  {refused}"))?;
        if !self.zero_lines.is_empty() {
            let named = self.zero_lines.iter().take(ZERO_LINES_SHOWN_MAX);
            let lines: Vec<String> = named.map(u64::to_string).collect();
            let more = match self.zero_lines.len() - lines.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            writeln!(
                f,
                "Postings of zero, which move nothing, were left out: line {}{more}.",
                lines.join(", ")
            )?;
        }
        if self.exchanges > 0 {
            writeln!(f, "Exchanges: {}, with the other side on the conversion account.", self.exchanges)?;
        }
        // Read models follow, and who asks at once without it may see a part.
        let (ledger, position) = (&self.ledger, self.position);
        writeln!(
            f,
            "Ledger {ledger} is at position {position}; queries with Recount-At-Least: {position} see all of it."
        )
    }
}
