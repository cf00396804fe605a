//! The catalogue of rejections: one definition from which the enum, the codes and `docs/REJECTIONS.md` are made.

use recount_events::ledger::{
    AccountKind, AccountName, AccountPattern, Amount, Asset, CustomerId, Direction, HoldId, MetadataOwner,
    Reference, TransactionId,
};

use super::code::RejectionCode;
use super::values::{AssetList, Timestamp};
use crate::command::{Comparison, Figure};
use crate::entity::HoldStatus;

/// The doc comment of a row is its meaning, `detail` the message of one rejection.
macro_rules! rejections {
    ($(
        $(#[doc = $meaning:literal])+
        $name:ident { $($field:ident: $type:ty),* } = $code:literal, $class:ident,
            title($title:literal),
            detail($($detail:tt)+),
            advice($advice:literal);
    )*) => {
        /// A rejected command, with the names and figures that led to the rejection. It changed nothing.
        ///
        /// The variants are in order of precedence: if several apply, the first is given.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Rejection {
            $($(#[doc = $meaning])+ #[error($($detail)+)] $name { $($field: $type),* },)*
        }

        impl RejectionCode {
            /// All codes, in order of precedence.
            pub const ALL: &[RejectionCode] = &[$(
                RejectionCode {
                    code: $code,
                    title: $title,
                    meaning: concat!($($meaning),+).trim_ascii_start(),
                    advice: $advice,
                    details: &[$(stringify!($field)),*],
                    conflict: is_conflict!($class),
                },
            )*];
        }

        impl Rejection {
            /// The place in the precedence.
            pub(crate) fn rank(&self) -> usize {
                #[derive(Clone, Copy)]
                enum Rank {
                    $($name,)*
                }
                match self {
                    $(Rejection::$name { .. } => Rank::$name as usize,)*
                }
            }

            /// The names and figures that led to the rejection, as strings by name.
            pub fn details(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Rejection::$name { $($field),* } => vec![$((stringify!($field), $field.to_string())),*],)*
                }
            }
        }
    };
}

macro_rules! is_conflict {
    (conflict) => {
        true
    };
    (rule) => {
        false
    };
}

rejections! {
    /// The ledger has not been created.
    LedgerUnknown {} = "ledger-unknown", rule,
        title("Ledger not found"),
        detail("the ledger has not been created"),
        advice("Create the ledger with PUT /v1/ledgers/{ledger}.");
    /// An account with this name was opened with different content.
    AccountConflict { account: AccountName, field: &'static str } = "account-conflict", conflict,
        title("Account already exists with different content"),
        detail("account `{account}` already exists with a different `{field}`"),
        advice("Choose another account name, or repeat the original command unchanged.");
    /// A customer with this id was registered with different content.
    CustomerConflict { customer: CustomerId, field: &'static str } = "customer-conflict", conflict,
        title("Customer already exists with different content"),
        detail("customer `{customer}` already exists with a different `{field}`"),
        advice("Choose another customer id, or change the customer with the command update-customer.");
    /// A hold with this id was placed with different content.
    HoldConflict { hold: HoldId, field: &'static str } = "hold-conflict", conflict,
        title("Hold already exists with different content"),
        detail("hold `{hold}` already exists with a different `{field}`"),
        advice("Choose another hold id, or repeat the original command unchanged.");
    /// A transaction with this id was posted with different content.
    TransactionConflict { transaction: TransactionId, field: &'static str } = "transaction-conflict", conflict,
        title("Transaction already exists with different content"),
        detail("transaction `{transaction}` already exists with a different `{field}`"),
        advice("Choose another transaction id, or repeat the original command unchanged.");
    /// No customer has this id.
    CustomerUnknown { customer: CustomerId } = "customer-unknown", rule,
        title("Customer not found"),
        detail("customer `{customer}` does not exist in this ledger"),
        advice("Check the customer id, or register the customer with the command register-customer.");
    /// The customer was forgotten, which is permanent.
    CustomerForgotten { customer: CustomerId } = "customer-forgotten", rule,
        title("Customer was forgotten"),
        detail("customer `{customer}` was forgotten"),
        advice("Register the person under a new customer id.");
    /// No transaction has this id.
    TransactionUnknown { transaction: TransactionId } = "transaction-unknown", rule,
        title("Transaction not found"),
        detail("transaction `{transaction}` does not exist in this ledger"),
        advice("Check the transaction id and the ledger.");
    /// The transaction has been reversed in full, or it has been reversed in part and the command reverses all of it.
    TransactionAlreadyReversed { transaction: TransactionId, reversed_by: TransactionId }
        = "transaction-already-reversed", conflict,
        title("Transaction already reversed"),
        detail("transaction `{transaction}` has already been reversed, most recently by `{reversed_by}`"),
        advice("Reverse only the part that is still reversible, if any. To undo a reversal, reverse the reversal.");
    /// The command gives only an amount, but the transaction has more than one debit and one credit.
    ReversalAmbiguous { transaction: TransactionId, entries: usize } = "reversal-ambiguous", rule,
        title("Reversal is ambiguous"),
        detail("transaction `{transaction}` has {entries} entries, so an amount does not say which of them to reverse"),
        advice("Give the entries or transfers of the reversal instead of an amount.");
    /// The reversal exceeds the amount still reversible on an account.
    ReversalExceeded {
        transaction: TransactionId,
        account: AccountName,
        direction: Direction,
        asset: Asset,
        amount: Amount,
        remaining: i128
    } = "reversal-exceeded", rule,
        title("Reversal exceeds the reversible amount"),
        detail("the reversal has a {direction} of {amount} {asset} on account `{account}`, but only {remaining} of transaction `{transaction}` is still reversible there"),
        advice("Reverse at most the opposite of the original entries, less earlier reversals.");
    /// No hold has this id.
    HoldUnknown { hold: HoldId } = "hold-unknown", rule,
        title("Hold not found"),
        detail("hold `{hold}` does not exist in this ledger"),
        advice("Check the hold id and the ledger.");
    /// The hold's deadline has passed.
    HoldExpired { hold: HoldId, expired_at: Timestamp } = "hold-expired", conflict,
        title("Hold has expired"),
        detail("hold `{hold}` expired at {expired_at}"),
        advice("Place a new hold, or post the transaction without one. The service releases the remaining amount; to release it immediately, use the command expire.");
    /// The hold was captured in full or released.
    HoldClosed { hold: HoldId, hold_status: HoldStatus } = "hold-closed", conflict,
        title("Hold is closed"),
        detail("hold `{hold}` is closed: it was {hold_status}"),
        advice("Place a new hold, or post the transaction without one.");
    /// The hold's deadline has not passed, or the hold has none.
    HoldNotDue { hold: HoldId } = "hold-not-due", rule,
        title("Hold is not due"),
        detail("hold `{hold}` has not reached its deadline"),
        advice("Release the hold with the command release, or wait for the deadline: the service then expires it.");
    /// The capture exceeds the remaining amount of the hold.
    HoldExceeded { hold: HoldId, amount: Amount, remaining: Amount } = "hold-exceeded", rule,
        title("Capture exceeds the hold"),
        detail("hold `{hold}` has {remaining} remaining, which is less than {amount}"),
        advice("Capture at most the remaining amount, and post the rest as a separate transaction.");
    /// The deadline of a new hold is not in the future.
    DeadlinePassed { hold: HoldId, expires_at: Timestamp, now: Timestamp } = "deadline-passed", rule,
        title("Deadline is not in the future"),
        detail("hold `{hold}` would expire at {expires_at}, and the current time is {now}"),
        advice("Give a deadline in the future, or none.");
    /// Another transaction has this reference.
    ReferenceTaken { reference: Reference, transaction: TransactionId } = "reference-taken", conflict,
        title("Reference already in use"),
        detail("reference `{reference}` belongs to transaction `{transaction}`"),
        advice("Look at the transaction that has the reference: it may be the one you meant to post. Otherwise choose another reference.");
    /// The transaction has too few or too many entries.
    EntriesOutOfBounds { count: usize, min: usize, max: usize } = "entries-out-of-bounds", rule,
        title("Number of entries out of range"),
        detail("a transaction must have {min} to {max} entries; this one has {count}"),
        advice("Give at least one debit and one credit, and split a very large transaction.");
    /// Debits and credits differ in an asset.
    Unbalanced { asset: Asset, debits: i128, credits: i128 } = "unbalanced", rule,
        title("Transaction is unbalanced"),
        detail("debits in {asset} are {debits} and credits are {credits}; they must be equal in every asset"),
        advice("Make debits equal credits in each asset, or use `transfers`, which always balance.");
    /// The effective time is further in the past than the ledger allows.
    EffectiveTooEarly { effective_at: Timestamp, earliest: Timestamp } = "effective-too-early", rule,
        title("Effective time too early"),
        detail("effective time {effective_at} is too early: this ledger accepts effective times from {earliest}"),
        advice("Give a later effective time, or widen the window with the command set-effective-window.");
    /// The effective time is further in the future than the ledger allows.
    EffectiveTooLate { effective_at: Timestamp, before: Timestamp } = "effective-too-late", rule,
        title("Effective time too late"),
        detail("effective time {effective_at} is too late: this ledger accepts effective times before {before}"),
        advice("Give an earlier effective time, or widen the window with the command set-effective-window.");
    /// The effective time lies in a closed period.
    PeriodClosed { effective_at: Timestamp, closed_through: Timestamp } = "period-closed", rule,
        title("Period is closed"),
        detail("effective time {effective_at} lies in a closed period: the books are closed through {closed_through}"),
        advice("Give an effective time after the closed period, or reopen the period with the command reopen-period.");
    /// The period to close has not ended.
    PeriodNotOver { through: Timestamp, now: Timestamp } = "period-not-over", rule,
        title("Period has not ended"),
        detail("the period through {through} has not ended: the current time is {now}"),
        advice("Close the period after it has ended. To stop an account immediately, freeze it.");
    /// The asset is not registered in the ledger.
    AssetUnknown { asset: Asset } = "asset-unknown", rule,
        title("Asset not registered"),
        detail("asset `{asset}` is not registered in this ledger"),
        advice("Check the spelling, or register the asset with the command register-asset.");
    /// The asset is registered with a different scale.
    AssetScaleDiffers { asset: Asset, registered: Asset } = "asset-scale-differs", conflict,
        title("Asset scale mismatch"),
        detail("asset `{}` is registered as `{registered}`, not as `{asset}`", asset.code()),
        advice("Use the registered scale, and convert the amounts to it.");
    /// No rule of the chart of accounts allows this account name.
    AccountNotInChart { account: AccountName } = "account-not-in-chart", rule,
        title("Account name not in chart"),
        detail("no rule of the chart of accounts allows account `{account}`"),
        advice("Use a name that the chart allows, or change the chart with the command set-chart.");
    /// The chart of accounts gives this account a different kind.
    KindNotInChart { account: AccountName, kind: AccountKind, pattern: AccountPattern, chart_kind: AccountKind }
        = "kind-not-in-chart", rule,
        title("Account kind differs from the chart"),
        detail("the chart's rule `{pattern}` gives account `{account}` the kind {chart_kind}, not {kind}"),
        advice("Omit the kind, or give the kind of the chart's rule.");
    /// Neither the command nor a chart of accounts gives the kind of the account.
    KindMissing { account: AccountName } = "kind-missing", rule,
        title("Account kind missing"),
        detail("neither the command nor a chart of accounts gives the kind of account `{account}`"),
        advice("Give the kind: asset, liability, equity, income or expense.");
    /// No account has this name.
    AccountUnknown { account: AccountName } = "account-unknown", rule,
        title("Account not found"),
        detail("account `{account}` does not exist in this ledger"),
        advice("Check the spelling, or open the account with the command open-account.");
    /// The account is closed, which is permanent.
    AccountClosed { account: AccountName } = "account-closed", rule,
        title("Account is closed"),
        detail("account `{account}` is closed"),
        advice("Use another account.");
    /// The account is frozen for entries of this direction.
    AccountFrozen { account: AccountName, direction: Direction } = "account-frozen", rule,
        title("Account is frozen"),
        detail("account `{account}` is frozen for {direction}s"),
        advice("Unfreeze the account with the command unfreeze-account, or use another account.");
    /// The account may not hold this asset.
    AssetNotAllowed { account: AccountName, asset: Asset, allowed: AssetList } = "asset-not-allowed", rule,
        title("Asset not allowed on the account"),
        detail("account `{account}` may not hold {asset}; it may hold {allowed}"),
        advice("Use an account that may hold the asset. The assets of an account are fixed when it is opened.");
    /// The account has a balance, so it cannot be closed.
    AccountNotEmpty { account: AccountName, asset: Asset, posted: i128 } = "account-not-empty", rule,
        title("Account is not empty"),
        detail("account `{account}` is not empty: its balance in {asset} is {posted}"),
        advice("Move the balance to another account, then close this one.");
    /// The account has open holds, so it cannot be closed.
    AccountHasHolds { account: AccountName, asset: Asset, held: i128, incoming: i128 } = "account-has-holds", rule,
        title("Account has open holds"),
        detail("account `{account}` has open holds in {asset}: {held} held and {incoming} incoming"),
        advice("Capture or release the holds on the account, then close it.");
    /// The metadata would exceed the size limit.
    MetadataTooLarge { of: MetadataOwner, bytes: usize, max: usize } = "metadata-too-large", rule,
        title("Metadata is too large"),
        detail("the metadata of {of} would have {bytes} bytes of JSON; the limit is {max}"),
        advice("Remove members with the command remove-metadata, or store large values elsewhere and refer to them.");
    /// A balance, or a sum of the command's amounts, would exceed 127 bits.
    BalanceOverflow { account: AccountName, asset: Asset } = "balance-overflow", rule,
        title("Balance overflow"),
        detail("the balance of account `{account}` in {asset}, or the sum of the amounts that change it, would exceed 127 bits"),
        advice("Use smaller amounts: balances, including held and incoming amounts, are limited to 127 bits.");
    /// The available balance of the account would fall below its minimum.
    InsufficientFunds {
        account: AccountName,
        asset: Asset,
        posted: i128,
        held: i128,
        available: i128,
        available_after: i128,
        minimum: i128
    } = "insufficient-funds", rule,
        title("Insufficient funds"),
        detail("account `{account}` would have {available_after} available in {asset}; it has {available}, and its minimum is {minimum}"),
        advice("Use a smaller amount, fund the account, release a hold, or allow an overdraft with the command set-overdraft-policy.");
    /// The posted and incoming balance of the account would exceed its maximum.
    MaximumExceeded {
        account: AccountName,
        asset: Asset,
        posted: i128,
        incoming: i128,
        total_after: i128,
        maximum: i128
    } = "maximum-exceeded", rule,
        title("Maximum balance exceeded"),
        detail("account `{account}` would have {total_after} posted and incoming in {asset}; its maximum is {maximum}"),
        advice("Use a smaller amount, or raise the maximum with the command set-balance-limits.");
    /// A balance does not meet an expectation of the command.
    ExpectationFailed {
        account: AccountName,
        asset: Asset,
        balance: Figure,
        actual: i128,
        expected: Comparison,
        amount: i128
    } = "expectation-failed", conflict,
        title("Balance expectation not met"),
        detail("the {balance} balance of account `{account}` in {asset} is {actual}, but was expected to be {} {amount}", expected.words()),
        advice("Read the balance again, and decide whether to send the command again.");
}

impl Rejection {
    /// The code, which is stable.
    pub fn code(&self) -> RejectionCode {
        RejectionCode::ALL[self.rank()]
    }

    /// Checks all items. If several fail, the rejection that is first in the precedence is given.
    pub(crate) fn first_of<T>(
        items: impl IntoIterator<Item = T>,
        mut check: impl FnMut(T) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let mut first: Option<Rejection> = None;
        for item in items {
            if let Err(fault) = check(item)
                && first.as_ref().is_none_or(|first| fault.rank() < first.rank())
            {
                first = Some(fault);
            }
        }
        first.map_or(Ok(()), Err)
    }
}
