//! The options of an import.

use std::path::PathBuf;

use clap::Args;
use recount_core::LogName;
use recount_events::ledger::{AccountKind, AccountName};

use crate::format::Format;
use crate::names::{self, Code};

/// A journal, and how to read it.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// The journal
    pub(crate) file: PathBuf,
    /// The ledger; it is created if it does not exist
    #[arg(long)]
    pub(crate) ledger: LogName,
    /// The source of the transactions: transactions with the same source and name are the same transaction. Use another
    /// source to import a second journal that numbers its transactions from 1 again
    #[arg(long, default_value = "journal")]
    pub(crate) source: String,
    /// The kind of an account and of all accounts below it: asset, liability, equity, income or expense. Required for
    /// names that do not start with Assets, Liabilities, Equity, Income, Revenues or Expenses
    #[arg(long = "kind", value_name = "ACCOUNT=KIND", value_parser = names::parse_kind)]
    pub(crate) kinds: Vec<(String, AccountKind)>,
    /// The asset code of a commodity, for example '$=USD', or '=POINTS' for amounts without a commodity. Required for
    /// symbols and names that are not asset codes. Add the number of decimals, as in '$=USD/2', if later files may have
    /// more decimals than this one: a ledger cannot change them
    #[arg(long = "asset", value_name = "COMMODITY=CODE", value_parser = names::parse_code)]
    pub(crate) assets: Vec<(String, Code)>,
    /// Another name for an account and all accounts below it, for example 'Assets:$=Assets:Cash'. Required for names that
    /// are not valid account names
    #[arg(long = "account", value_name = "NAME=ACCOUNT", value_parser = names::parse_account)]
    pub(crate) accounts: Vec<(String, String)>,
    /// The account that takes the other side of an exchange, for example Equity:Conversion. Required for transactions
    /// that exchange one commodity for another at a price, and so do not add up to zero in each
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) conversion_account: Option<AccountName>,
    #[command(flatten)]
    pub(crate) format: Format,
}
