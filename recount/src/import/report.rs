//! What an import tells at its end.

use std::fmt;

use recount_command_service::engine::Refusal;
use recount_events::{LogName, Position};

use super::journal::Transaction;

/// What became of a journal.
#[derive(Debug)]
pub(super) struct Report {
    ledger: LogName,
    zero_lines: Vec<u64>,
    pub(super) position: Position,
    pub(super) ledger_created: bool,
    pub(super) accounts: usize,
    pub(super) accounts_opened: usize,
    pub(super) posted: usize,
    pub(super) there_already: usize,
    refused: Vec<String>,
}

impl Report {
    pub(super) fn new(ledger: LogName, position: Position, zero_lines: Vec<u64>) -> Report {
        Report {
            ledger,
            zero_lines,
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
            let lines: Vec<String> = self.zero_lines.iter().map(u64::to_string).collect();
            writeln!(f, "Postings of zero, which move nothing, were left out: line {}.", lines.join(", "))?;
        }
        writeln!(f, "Ledger {} is at position {}.", self.ledger, self.position)
    }
}
