//! Expectations: conditions on balances that a request depends on.

use std::fmt;

use recount_events::ledger::{AccountName, Asset};

/// A condition that a balance must meet for the command to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    pub account: AccountName,
    pub asset: Asset,
    pub figure: Figure,
    pub comparison: Comparison,
    /// The expected amount in minor units, on the account's normal side.
    pub amount: i128,
}

/// One of the figures of a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    Posted,
    Held,
    Incoming,
    Available,
}

/// How a figure is compared with the expected amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    AtLeast,
    AtMost,
    Equal,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Figure::Posted => "posted",
            Figure::Held => "held",
            Figure::Incoming => "incoming",
            Figure::Available => "available",
        })
    }
}

impl Comparison {
    /// Whether the figure meets the expectation.
    pub fn holds(self, figure: i128, expected: i128) -> bool {
        match self {
            Comparison::AtLeast => figure >= expected,
            Comparison::AtMost => figure <= expected,
            Comparison::Equal => figure == expected,
        }
    }

    /// The comparison as words that precede an amount.
    pub(crate) fn words(self) -> String {
        self.to_string().replace('_', " ")
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::AtLeast => "at_least",
            Comparison::AtMost => "at_most",
            Comparison::Equal => "equal_to",
        })
    }
}
