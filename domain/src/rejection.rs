//! Why a command is refused. Codes are part of the API and never change their meaning.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use recount_events::ledger::{
    AccountKind, AccountName, AccountPattern, Amount, Asset, CustomerId, Direction, HoldId, MetadataOwner,
    Reference, TransactionId,
};

use crate::command::{Comparison, Figure};
use crate::entity::HoldStatus;

/// The stable part of a rejection, for callers that are programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectionCode {
    pub code: &'static str,
    /// When it is given, in a sentence.
    pub meaning: &'static str,
    /// What the caller can do about it.
    pub advice: &'static str,
    /// The names of the figures and names that come with it.
    pub details: &'static [&'static str],
    /// Whether the command collides with what is there, rather than breaking a rule.
    pub conflict: bool,
}

/// Defines [`Rejection`] and its catalogue: everything that is told of a rejection, anywhere, comes from here.
macro_rules! rejections {
    ($(
        $(#[doc = $meaning:literal])+
        $name:ident { $($field:ident: $type:ty),* } = $code:literal, $class:ident,
            says($($says:tt)+),
            advises($advice:literal);
    )*) => {
        /// A refusal, with what the caller needs to understand it. It changed nothing.
        ///
        /// The variants stand in their order of precedence: of several reasons the first is given.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Rejection {
            $($(#[doc = $meaning])+ #[error($($says)+)] $name { $($field: $type),* },)*
        }

        impl RejectionCode {
            /// The catalogue, in the order of precedence.
            pub const ALL: &[RejectionCode] = &[$(
                RejectionCode {
                    code: $code,
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

            /// The figures and names that led to the rejection, for callers that are programs. Amounts are strings.
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
        says("the ledger has not been created"),
        advises("Create the ledger with PUT /v1/ledgers/{ledger}.");
    /// An account of this name exists, and was opened with other content.
    AccountConflict { account: AccountName, field: &'static str } = "account-conflict", conflict,
        says("account `{account}` exists already, and differs in `{field}`"),
        advises("Choose another name, or send the command as it was sent when the account was opened.");
    /// A customer of this id exists, and was registered with other content.
    CustomerConflict { customer: CustomerId, field: &'static str } = "customer-conflict", conflict,
        says("customer `{customer}` exists already, and differs in `{field}`"),
        advises("Choose another customer id, or change what is known with the command update-customer.");
    /// A hold of this id exists, and was placed with other content.
    HoldConflict { hold: HoldId, field: &'static str } = "hold-conflict", conflict,
        says("hold `{hold}` exists already, and differs in `{field}`"),
        advises("Choose another hold id, or repeat the hold with the content that it was placed with.");
    /// A transaction of this id exists, and was posted with other content.
    TransactionConflict { transaction: TransactionId, field: &'static str } = "transaction-conflict", conflict,
        says("transaction `{transaction}` exists already, and differs in `{field}`"),
        advises("Choose another transaction id, or repeat the transaction with the content that it was posted with.");
    /// There is no such customer.
    CustomerUnknown { customer: CustomerId } = "customer-unknown", rule,
        says("customer `{customer}` does not exist in this ledger"),
        advises("Check the customer id, or register the customer with the command register-customer.");
    /// The customer was forgotten.
    CustomerForgotten { customer: CustomerId } = "customer-forgotten", rule,
        says("customer `{customer}` was forgotten"),
        advises("Forgetting is for good. If the person is a customer again, register a new customer id.");
    /// There is no such transaction.
    TransactionUnknown { transaction: TransactionId } = "transaction-unknown", rule,
        says("transaction `{transaction}` does not exist in this ledger"),
        advises("Check the transaction id and the ledger.");
    /// The transaction was taken back: wholly, or in part and now the whole is to be taken back.
    TransactionAlreadyReversed { transaction: TransactionId, reversed_by: TransactionId }
        = "transaction-already-reversed", conflict,
        says("transaction `{transaction}` was reversed already, at last by `{reversed_by}`"),
        advises("Nothing is taken back twice. If only a part was reversed, reverse a part of what is left; to restore what was reversed, reverse the reversal.");
    /// An amount alone says how much to take back of a transaction that has more than one debit and one credit.
    ReversalAmbiguous { transaction: TransactionId, entries: usize } = "reversal-ambiguous", rule,
        says("transaction `{transaction}` has {entries} entries, so an amount does not say which to take back"),
        advises("Give the entries or transfers that take back what you mean.");
    /// More would be taken back from an account than the transaction brought it and was not taken back before.
    ReversalExceeded {
        transaction: TransactionId,
        account: AccountName,
        direction: Direction,
        asset: Asset,
        amount: Amount,
        remaining: i128
    } = "reversal-exceeded", rule,
        says("the reversal has a {direction} of {amount} {asset} on `{account}`, and of transaction `{transaction}` {remaining} can still be taken back so"),
        advises("Reverse at most what is left: the opposite of the transaction's entries, less what was reversed before.");
    /// There is no such hold.
    HoldUnknown { hold: HoldId } = "hold-unknown", rule,
        says("hold `{hold}` does not exist in this ledger"),
        advises("Check the hold id and the ledger.");
    /// The hold's deadline has passed.
    HoldExpired { hold: HoldId, expired_at: Moment } = "hold-expired", conflict,
        says("hold `{hold}` expired at {expired_at}"),
        advises("Place a new hold, or post the transaction without one. What this one held is given back by itself, or at once with the command expire.");
    /// The hold was used up, or released.
    HoldClosed { hold: HoldId, hold_status: HoldStatus } = "hold-closed", conflict,
        says("hold `{hold}` is closed: it was {hold_status}"),
        advises("Nothing is left of it: place a new hold, or post the transaction without one.");
    /// The hold's deadline has not come, or it has none.
    HoldNotDue { hold: HoldId } = "hold-not-due", rule,
        says("hold `{hold}` has not reached its deadline"),
        advises("Give what it holds back with the command release, or wait: the service expires it by itself.");
    /// More would be captured than the hold has left.
    HoldExceeded { hold: HoldId, amount: Amount, remaining: Amount } = "hold-exceeded", rule,
        says("hold `{hold}` has {remaining} left, which is less than {amount}"),
        advises("Capture at most what is left, and post the rest as a transaction of its own.");
    /// The deadline of a new hold is not in the future.
    DeadlinePassed { hold: HoldId, expires_at: Moment, now: Moment } = "deadline-passed", rule,
        says("hold `{hold}` would expire at {expires_at}, and now it is {now}"),
        advises("Give a deadline in the future, or none.");
    /// Another transaction has the reference.
    ReferenceTaken { reference: Reference, transaction: TransactionId } = "reference-taken", conflict,
        says("reference `{reference}` belongs to transaction `{transaction}`"),
        advises("References are unique in a ledger: look at the transaction that has it; it may be the one you want.");
    /// A transaction has too few entries or too many.
    EntriesOutOfBounds { count: usize, min: usize, max: usize } = "entries-out-of-bounds", rule,
        says("a transaction has from {min} to {max} entries; this one has {count}"),
        advises("Give at least one debit and one credit, and split a very large transaction.");
    /// Debits and credits differ in an asset.
    Unbalanced { asset: Asset, debits: i128, credits: i128 } = "unbalanced", rule,
        says("the debits in {asset} are {debits} and the credits {credits}; they must be equal in every asset"),
        advises("Make the debits equal the credits in each asset, or use `transfers`, which are balanced by construction.");
    /// The effective time is further in the past than the ledger allows.
    EffectiveTooEarly { effective_at: Moment, earliest: Moment } = "effective-too-early", rule,
        says("{effective_at} is too early: this ledger takes effective times from {earliest} on"),
        advises("Give a later effective time, or widen the window with the command set-effective-window.");
    /// The effective time is further in the future than the ledger allows.
    EffectiveTooLate { effective_at: Moment, before: Moment } = "effective-too-late", rule,
        says("{effective_at} is too late: this ledger takes effective times before {before}"),
        advises("Give an earlier effective time, or widen the window with the command set-effective-window.");
    /// The effective time lies in a closed period.
    PeriodClosed { effective_at: Moment, closed_through: Moment } = "period-closed", rule,
        says("{effective_at} lies in a closed period: the books are closed through {closed_through}"),
        advises("Give an effective time after the closed period, or reopen it with the command reopen-period.");
    /// A period is to be closed that is not over.
    PeriodNotOver { through: Moment, now: Moment } = "period-not-over", rule,
        says("a period through {through} is not over: now it is {now}"),
        advises("Close the period once it is over; to stop an account at once, freeze it.");
    /// The ledger does not count the asset.
    AssetUnknown { asset: Asset } = "asset-unknown", rule,
        says("asset `{asset}` is not registered in this ledger"),
        advises("Check the spelling, or register the asset with the command register-asset.");
    /// The ledger counts the asset in another scale.
    AssetScaleDiffers { asset: Asset, registered: Asset } = "asset-scale-differs", conflict,
        says("the ledger counts `{}` as `{registered}`, not as `{asset}`", asset.code()),
        advises("Use the scale that the ledger counts this asset in, and convert the amounts.");
    /// The chart allows no account of this name.
    AccountNotInChart { account: AccountName } = "account-not-in-chart", rule,
        says("the chart has no rule that allows an account `{account}`"),
        advises("Use a name that the chart allows, or change the chart with the command set-chart.");
    /// The chart says that such an account is of another kind.
    KindNotInChart { account: AccountName, kind: AccountKind, pattern: AccountPattern, chart_kind: AccountKind }
        = "kind-not-in-chart", rule,
        says("the chart's rule `{pattern}` makes `{account}` an account of kind {chart_kind}, not {kind}"),
        advises("Leave the kind out, or give the kind that the chart's rule has.");
    /// Neither the command nor a chart says what kind of account to open.
    KindMissing { account: AccountName } = "kind-missing", rule,
        says("nothing says of which kind account `{account}` shall be"),
        advises("Give the kind: asset, liability, equity, income or expense.");
    /// There is no such account.
    AccountUnknown { account: AccountName } = "account-unknown", rule,
        says("account `{account}` does not exist in this ledger"),
        advises("Check the spelling, or open the account with the command open-account.");
    /// The account is closed.
    AccountClosed { account: AccountName } = "account-closed", rule,
        says("account `{account}` is closed"),
        advises("A closed account stays closed. Use another account.");
    /// The account is frozen for this side.
    AccountFrozen { account: AccountName, direction: Direction } = "account-frozen", rule,
        says("account `{account}` is frozen for {direction}s"),
        advises("Unfreeze the account with the command unfreeze-account, or use another.");
    /// The account may not hold the asset.
    AssetNotAllowed { account: AccountName, asset: Asset, allowed: Listed } = "asset-not-allowed", rule,
        says("account `{account}` may not hold {asset}; it may hold {allowed}"),
        advises("Use an account that may hold the asset; which assets it may hold was said when it was opened.");
    /// The account has a balance and cannot be closed.
    AccountNotEmpty { account: AccountName, asset: Asset, posted: i128 } = "account-not-empty", rule,
        says("account `{account}` is not empty: its balance in {asset} is {posted}"),
        advises("Move the balance to another account, then close this one.");
    /// Holds are open on the account and it cannot be closed.
    AccountHasHolds { account: AccountName, asset: Asset, held: i128, incoming: i128 } = "account-has-holds", rule,
        says("holds are open on account `{account}`: in {asset} {held} is held and {incoming} is incoming"),
        advises("Capture or release the holds on the account, then close it.");
    /// The metadata would become too large.
    MetadataTooLarge { of: MetadataOwner, bytes: usize, max: usize } = "metadata-too-large", rule,
        says("the metadata of {of} would take {bytes} bytes of JSON, and may take {max}"),
        advises("Remove members with the command remove-metadata, or keep large things elsewhere and refer to them.");
    /// A balance would go beyond what can be counted.
    BalanceOverflow { account: AccountName, asset: Asset } = "balance-overflow", rule,
        says("the balance of account `{account}` in {asset} would go beyond what can be counted, or what moves it would"),
        advises("Use a smaller amount: balances, with what is held and incoming, are counted in 127 bits.");
    /// Less would be available than must stay.
    InsufficientFunds {
        account: AccountName,
        asset: Asset,
        posted: i128,
        held: i128,
        available: i128,
        available_after: i128,
        minimum: i128
    } = "insufficient-funds", rule,
        says("account `{account}` would have {available_after} available in {asset}; it has {available}, and may go down to {minimum}"),
        advises("Use a smaller amount, fund the account, release a hold, or allow it an overdraft with set-overdraft-policy.");
    /// More would be posted and incoming than the account may take.
    MaximumExceeded {
        account: AccountName,
        asset: Asset,
        posted: i128,
        incoming: i128,
        total_after: i128,
        maximum: i128
    } = "maximum-exceeded", rule,
        says("account `{account}` would come to {total_after} in {asset}, with what is incoming; it may come to {maximum}"),
        advises("Use a smaller amount, or raise the maximum with the command set-balance-limits.");
    /// A balance is not what the command expects.
    ExpectationFailed {
        account: AccountName,
        asset: Asset,
        balance: Figure,
        actual: i128,
        expected: Comparison,
        amount: i128
    } = "expectation-failed", conflict,
        says("the {balance} balance of account `{account}` in {asset} is {actual}, and was expected to be {} {amount}", expected.words()),
        advises("Look at the balance again, and decide again whether the command shall be sent.");
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> RejectionCode {
        RejectionCode::ALL[self.rank()]
    }

    /// Of all the faults that checking these brings, the one that comes first in the precedence.
    pub(crate) fn first<T>(
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

/// A moment, shown as JSON shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub DateTime<Utc>);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// The assets that something may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed(pub Vec<Asset>);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Asset::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A detail stands beside the members of a problem document, and must not stand in their place.
    #[test]
    fn no_detail_has_the_name_of_a_member_of_its_document() {
        const MEMBERS: [&str; 8] =
            ["type", "title", "status", "detail", "instance", "code", "pointer", "failed_command"];
        for code in RejectionCode::ALL {
            assert!(code.details.iter().all(|detail| !MEMBERS.contains(detail)), "{}", code.code);
        }
    }
}
