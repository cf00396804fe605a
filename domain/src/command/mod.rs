//! The commands of a ledger.

mod expectation;

pub use expectation::{Comparison, Expectation, Figure};

use chrono::{DateTime, Utc};
use recount_events::ledger::{
    AccountKind, AccountName, Amount, Asset, BalanceLimit, ChartRule, CustomerId, EffectiveWindow, Entry,
    FreezeScope, HoldId, Metadata, MetadataOwner, Overdraft, Profile, Reference, TransactionId,
};

/// A command, and the expectations under which it may be accepted. If one is not met, the request is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub command: Command,
    pub expect: Vec<Expectation>,
}

/// A change to a ledger.
///
/// Commands are idempotent: if the effect of a command already holds, the command is accepted and causes no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Creates the ledger. The first command of every ledger.
    CreateLedger {
        ledger: String,
    },
    /// Registers an asset with its scale.
    RegisterAsset {
        asset: Asset,
    },
    /// Sets the window of accepted effective times.
    SetEffectiveWindow {
        window: EffectiveWindow,
    },
    /// Closes the books for effective times up to and including `through`.
    ClosePeriod {
        through: DateTime<Utc>,
    },
    /// Reopens the books for effective times from `from` on.
    ReopenPeriod {
        from: DateTime<Utc>,
    },
    /// Sets the chart of accounts.
    SetChart {
        rules: Vec<ChartRule>,
    },
    /// Removes the chart of accounts.
    RemoveChart,
    OpenAccount(OpenAccount),
    /// Freezes an account: rejects new entries on one side or both.
    FreezeAccount {
        account: AccountName,
        scope: FreezeScope,
    },
    /// Removes a freeze from one side of an account or both.
    UnfreezeAccount {
        account: AccountName,
        scope: FreezeScope,
    },
    /// Closes an account permanently. Its balances must be zero, and it must have no open holds.
    CloseAccount {
        account: AccountName,
    },
    /// Replaces an account's overdraft policy.
    SetOverdraftPolicy {
        account: AccountName,
        overdraft: Overdraft,
    },
    /// Replaces all balance limits of an account.
    SetBalanceLimits {
        account: AccountName,
        limits: Vec<BalanceLimit>,
    },
    PostTransaction(PostTransaction),
    ReverseTransaction(ReverseTransaction),
    Hold(PlaceHold),
    Capture(CaptureHold),
    /// Releases the remaining amount of a hold.
    Release {
        hold: HoldId,
    },
    /// Releases the remaining amount of a hold whose deadline has passed. The service sends this command itself.
    Expire {
        hold: HoldId,
    },
    /// Sets metadata members. Other members are unchanged.
    SetMetadata {
        of: MetadataOwner,
        metadata: Metadata,
    },
    /// Removes metadata members. Other members are unchanged.
    RemoveMetadata {
        of: MetadataOwner,
        keys: Vec<String>,
    },
    /// Registers a customer.
    RegisterCustomer {
        customer: CustomerId,
        profile: Profile,
        metadata: Metadata,
    },
    /// Replaces a customer's profile and metadata.
    UpdateCustomer {
        customer: CustomerId,
        profile: Profile,
        metadata: Metadata,
    },
    /// Links an account to a customer.
    LinkAccount {
        customer: CustomerId,
        account: AccountName,
    },
    /// Removes the link between an account and a customer.
    UnlinkAccount {
        customer: CustomerId,
        account: AccountName,
    },
    /// Forgets a customer's profile and metadata permanently.
    ForgetCustomer {
        customer: CustomerId,
    },
}

/// Opens an account. The chart's rule for the name, if there is one, provides the values that are omitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAccount {
    pub account: AccountName,
    /// Required unless a chart of accounts provides it.
    pub kind: Option<AccountKind>,
    /// Default: the chart's, or no overdraft.
    pub overdraft: Option<Overdraft>,
    /// Default: the chart's, or no limits.
    pub limits: Option<Vec<BalanceLimit>>,
    /// The assets that the account may hold. If empty: those of the chart's rule, or any asset.
    pub assets: Vec<Asset>,
    pub metadata: Metadata,
}

/// Posts a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostTransaction {
    pub transaction: TransactionId,
    /// Debits must equal credits in every asset.
    pub entries: Vec<Entry>,
    /// Default: the time of recording.
    pub effective_at: Option<DateTime<Utc>>,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
}

/// Reverses a transaction, in full or in part, by posting the opposite entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseTransaction {
    /// The transaction to reverse.
    pub transaction: TransactionId,
    /// The id of the reversing transaction.
    pub reversal: TransactionId,
    pub part: ReversedPart,
    pub effective_at: ReversalTime,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
}

/// The part of a transaction to reverse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversedPart {
    /// The whole transaction. No part of it may have been reversed before.
    Whole,
    /// An amount of a transaction that has one debit and one credit.
    Amount(Amount),
    /// These entries, each opposite to entries of the transaction.
    Entries(Vec<Entry>),
}

/// The effective time of a reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversalTime {
    /// The time of recording.
    Now,
    /// The effective time of the reversed transaction.
    Original,
    At(DateTime<Utc>),
}

/// Reserves an amount for a later transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceHold {
    pub hold: HoldId,
    /// The account to debit when the hold is captured.
    pub debit: AccountName,
    /// The account to credit when the hold is captured.
    pub credit: AccountName,
    pub asset: Asset,
    pub amount: Amount,
    /// The deadline: the hold cannot be captured at or after this time. Default: no deadline.
    pub expires_at: Option<DateTime<Utc>>,
    pub metadata: Metadata,
}

/// Posts the amount that a hold reserved, in full or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureHold {
    pub hold: HoldId,
    /// The id of the transaction to post.
    pub transaction: TransactionId,
    /// Default: the whole remaining amount.
    pub amount: Option<Amount>,
    /// Whether the capture releases the remaining amount and closes the hold.
    pub is_final: bool,
    /// Default: the time of recording.
    pub effective_at: Option<DateTime<Utc>>,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
}

impl From<Command> for Request {
    fn from(command: Command) -> Request {
        Request { command, expect: Vec::new() }
    }
}
