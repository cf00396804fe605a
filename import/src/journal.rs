//! A journal: the transactions of a file, and the errors in it.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::decimal::Decimal;

/// A journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) transactions: Vec<Transaction>,
    /// The decimals of each commodity: the most in the file, or the number from --asset if it is higher.
    pub(crate) scales: BTreeMap<String, u8>,
    /// The lines with an amount of zero: they post nothing.
    pub(crate) zero_lines: Vec<u64>,
    /// The number of transactions whose other side was posted to the conversion account.
    pub(crate) exchanges: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// The name in the file.
    pub(crate) name: String,
    pub(crate) line: u64,
    pub(crate) date: NaiveDate,
    pub(crate) description: String,
    pub(crate) postings: Vec<Posting>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) line: u64,
    pub(crate) account: String,
    pub(crate) amount: Decimal,
    pub(crate) commodity: String,
}

/// An error in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct LineError {
    pub(crate) line: u64,
    pub(crate) reason: String,
}
