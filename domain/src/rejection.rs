//! Why a command is refused. Codes are part of the API and never change their meaning.

use std::fmt::Display;

use recount_events::ledger::{AccountName, Asset, Direction, Reference, TransactionId};

/// A refusal, with what the caller needs to understand it. It changed nothing.
///
/// The variants stand in their order of precedence: of several reasons the first is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the ledger has not been created")]
    LedgerUnknown,
    #[error("account `{account}` exists already, with another {field}")]
    AccountConflict { account: AccountName, field: &'static str },
    #[error("transaction `{transaction}` exists already, with another {field}")]
    TransactionConflict { transaction: TransactionId, field: &'static str },
    #[error("transaction `{transaction}` does not exist in this ledger")]
    TransactionUnknown { transaction: TransactionId },
    #[error("transaction `{transaction}` was reversed already, by `{by}`")]
    TransactionAlreadyReversed { transaction: TransactionId, by: TransactionId },
    #[error("reference `{reference}` belongs to transaction `{transaction}`")]
    ReferenceTaken { reference: Reference, transaction: TransactionId },
    #[error("a transaction has from 2 to {max} entries; this one has {count}")]
    EntriesOutOfBounds { count: usize, max: usize },
    #[error(
        "the debits in {asset} are {debits} and the credits {credits}; they must be equal in every asset"
    )]
    Unbalanced { asset: Asset, debits: i128, credits: i128 },
    #[error("asset `{asset}` is not registered in this ledger")]
    AssetUnknown { asset: Asset },
    #[error("the ledger counts `{}` as `{registered}`, not as `{asset}`", asset.code())]
    AssetScaleDiffers { asset: Asset, registered: Asset },
    #[error("account `{account}` does not exist in this ledger")]
    AccountUnknown { account: AccountName },
    #[error("account `{account}` is closed")]
    AccountClosed { account: AccountName },
    #[error("account `{account}` is frozen for {}s", direction.as_str())]
    AccountFrozen { account: AccountName, direction: Direction },
    #[error("account `{account}` is not empty: its balance in {asset} is {balance}")]
    AccountNotEmpty { account: AccountName, asset: Asset, balance: i128 },
    #[error("the sums of account `{account}` in {asset} would go beyond what can be counted")]
    BalanceOverflow { account: AccountName, asset: Asset },
    #[error(
        "account `{account}` would come to {balance_after} in {asset}; its balance is {balance} and it may go down to \
         {minimum}"
    )]
    InsufficientFunds {
        account: AccountName,
        asset: Asset,
        balance: i128,
        balance_after: i128,
        minimum: i128,
    },
}

/// The stable part of a rejection, for callers that are programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectionCode {
    pub code: &'static str,
    /// What the caller can do about it.
    pub advice: &'static str,
    /// Whether the command collides with what is there, rather than breaking a rule.
    pub conflict: bool,
}

macro_rules! codes {
    ($($name:ident = $code:literal, conflict: $conflict:literal, $advice:literal;)*) => {
        impl RejectionCode {
            $(pub const $name: RejectionCode =
                RejectionCode { code: $code, advice: $advice, conflict: $conflict };)*

            /// The catalogue, in the order of precedence.
            pub const ALL: &[RejectionCode] = &[$(RejectionCode::$name),*];
        }
    };
}

codes! {
    LEDGER_UNKNOWN = "ledger-unknown", conflict: false,
        "Create the ledger with PUT /v1/ledgers/{ledger}.";
    ACCOUNT_CONFLICT = "account-conflict", conflict: true,
        "Choose another name, or send the command as it was sent when the account was opened.";
    TRANSACTION_CONFLICT = "transaction-conflict", conflict: true,
        "Choose another transaction id, or repeat the transaction with the content that it was posted with.";
    TRANSACTION_UNKNOWN = "transaction-unknown", conflict: false,
        "Check the transaction id and the ledger.";
    TRANSACTION_ALREADY_REVERSED = "transaction-already-reversed", conflict: true,
        "A transaction is reversed once. To restore it, reverse the reversal.";
    REFERENCE_TAKEN = "reference-taken", conflict: true,
        "References are unique in a ledger: look at the transaction that has it; it may be the one you want.";
    ENTRIES_OUT_OF_BOUNDS = "entries-out-of-bounds", conflict: false,
        "Give at least one debit and one credit, and split a very large transaction.";
    UNBALANCED = "unbalanced", conflict: false,
        "Make the debits equal the credits in each asset, or use `transfers`, which are balanced by construction.";
    ASSET_UNKNOWN = "asset-unknown", conflict: false,
        "Check the spelling, or register the asset with the command register-asset.";
    ASSET_SCALE_DIFFERS = "asset-scale-differs", conflict: true,
        "Use the scale that the ledger counts this asset in, and convert the amounts.";
    ACCOUNT_UNKNOWN = "account-unknown", conflict: false,
        "Check the spelling, or open the account with the command open-account.";
    ACCOUNT_CLOSED = "account-closed", conflict: false,
        "A closed account stays closed. Use another account.";
    ACCOUNT_FROZEN = "account-frozen", conflict: false,
        "Unfreeze the account with the command unfreeze-account, or use another.";
    ACCOUNT_NOT_EMPTY = "account-not-empty", conflict: false,
        "Move the balance to another account, then close this one.";
    BALANCE_OVERFLOW = "balance-overflow", conflict: false,
        "Use a smaller amount: sums are counted in 127 bits.";
    INSUFFICIENT_FUNDS = "insufficient-funds", conflict: false,
        "Use a smaller amount, fund the account, or allow it an overdraft with set-overdraft-policy.";
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> RejectionCode {
        match self {
            Rejection::LedgerUnknown => RejectionCode::LEDGER_UNKNOWN,
            Rejection::AccountConflict { .. } => RejectionCode::ACCOUNT_CONFLICT,
            Rejection::TransactionConflict { .. } => RejectionCode::TRANSACTION_CONFLICT,
            Rejection::TransactionUnknown { .. } => RejectionCode::TRANSACTION_UNKNOWN,
            Rejection::TransactionAlreadyReversed { .. } => RejectionCode::TRANSACTION_ALREADY_REVERSED,
            Rejection::ReferenceTaken { .. } => RejectionCode::REFERENCE_TAKEN,
            Rejection::EntriesOutOfBounds { .. } => RejectionCode::ENTRIES_OUT_OF_BOUNDS,
            Rejection::Unbalanced { .. } => RejectionCode::UNBALANCED,
            Rejection::AssetUnknown { .. } => RejectionCode::ASSET_UNKNOWN,
            Rejection::AssetScaleDiffers { .. } => RejectionCode::ASSET_SCALE_DIFFERS,
            Rejection::AccountUnknown { .. } => RejectionCode::ACCOUNT_UNKNOWN,
            Rejection::AccountClosed { .. } => RejectionCode::ACCOUNT_CLOSED,
            Rejection::AccountFrozen { .. } => RejectionCode::ACCOUNT_FROZEN,
            Rejection::AccountNotEmpty { .. } => RejectionCode::ACCOUNT_NOT_EMPTY,
            Rejection::BalanceOverflow { .. } => RejectionCode::BALANCE_OVERFLOW,
            Rejection::InsufficientFunds { .. } => RejectionCode::INSUFFICIENT_FUNDS,
        }
    }

    /// The figures and names that led to the rejection, for callers that are programs. Amounts are strings.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let details: &[(&'static str, &dyn Display)] = match self {
            Rejection::LedgerUnknown => &[],
            Rejection::AccountConflict { account, field } => &[("account", account), ("field", field)],
            Rejection::TransactionConflict { transaction, field } => {
                &[("transaction", transaction), ("field", field)]
            }
            Rejection::TransactionUnknown { transaction } => &[("transaction", transaction)],
            Rejection::TransactionAlreadyReversed { transaction, by } => {
                &[("transaction", transaction), ("reversed_by", by)]
            }
            Rejection::ReferenceTaken { reference, transaction } => {
                &[("reference", reference), ("transaction", transaction)]
            }
            Rejection::EntriesOutOfBounds { count, max } => &[("count", count), ("max", max)],
            Rejection::Unbalanced { asset, debits, credits } => {
                &[("asset", asset), ("debits", debits), ("credits", credits)]
            }
            Rejection::AssetUnknown { asset } => &[("asset", asset)],
            Rejection::AssetScaleDiffers { asset, registered } => {
                &[("asset", asset), ("registered", registered)]
            }
            Rejection::AccountUnknown { account } | Rejection::AccountClosed { account } => {
                &[("account", account)]
            }
            Rejection::AccountFrozen { account, direction } => {
                &[("account", account), ("direction", &direction.as_str())]
            }
            Rejection::AccountNotEmpty { account, asset, balance } => {
                &[("account", account), ("asset", asset), ("balance", balance)]
            }
            Rejection::BalanceOverflow { account, asset } => &[("account", account), ("asset", asset)],
            Rejection::InsufficientFunds { account, asset, balance, balance_after, minimum } => &[
                ("account", account),
                ("asset", asset),
                ("balance", balance),
                ("balance_after", balance_after),
                ("minimum", minimum),
            ],
        };
        details.iter().map(|(name, value)| (*name, value.to_string())).collect()
    }
}
