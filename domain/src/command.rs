//! What can be asked of a ledger.

use chrono::{DateTime, Utc};
use recount_events::ledger::{
    AccountKind, AccountName, Amount, Asset, BalanceLimit, ChartRule, CustomerId, EffectiveWindow, Entry,
    FreezeScope, HoldId, Metadata, MetadataOwner, Overdraft, Profile, Reference, TransactionId,
};

/// A command, and what its sender takes for granted: if that is not so, nothing happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub command: Command,
    pub expect: Vec<Expectation>,
}

/// A request to change a ledger.
///
/// Every command can be repeated: asking for what is so already is accepted, and nothing happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens the book. The first command of every ledger.
    CreateLedger {
        ledger: String,
    },
    /// Makes the ledger count an asset, in the scale that the asset names.
    RegisterAsset {
        asset: Asset,
    },
    /// Bounds how far from now an effective time may be.
    SetEffectiveWindow {
        window: EffectiveWindow,
    },
    /// Closes the books for everything that takes effect at this time or before it.
    ClosePeriod {
        through: DateTime<Utc>,
    },
    /// Opens the books again for everything that takes effect from this time on.
    ReopenPeriod {
        from: DateTime<Utc>,
    },
    /// Says what accounts there may be.
    SetChart {
        rules: Vec<ChartRule>,
    },
    /// Lets there be any account again.
    RemoveChart,
    OpenAccount(OpenAccount),
    FreezeAccount {
        account: AccountName,
        scope: FreezeScope,
    },
    UnfreezeAccount {
        account: AccountName,
        scope: FreezeScope,
    },
    /// Closes an account for good. It must be at zero in every asset, and no hold may be open on it.
    CloseAccount {
        account: AccountName,
    },
    SetOverdraftPolicy {
        account: AccountName,
        overdraft: Overdraft,
    },
    /// Bounds an account's balances: these limits, and no others.
    SetBalanceLimits {
        account: AccountName,
        limits: Vec<BalanceLimit>,
    },
    PostTransaction(PostTransaction),
    ReverseTransaction(ReverseTransaction),
    Hold(PlaceHold),
    Capture(CaptureHold),
    /// Gives what is left of a hold back.
    Release {
        hold: HoldId,
    },
    /// Gives what is left of a hold back because its deadline has passed. The service sends it by itself.
    Expire {
        hold: HoldId,
    },
    /// Sets members of the metadata; the others stay.
    SetMetadata {
        of: MetadataOwner,
        metadata: Metadata,
    },
    /// Removes members of the metadata.
    RemoveMetadata {
        of: MetadataOwner,
        keys: Vec<String>,
    },
    RegisterCustomer {
        customer: CustomerId,
        profile: Profile,
        metadata: Metadata,
    },
    /// Replaces what is known about a customer.
    UpdateCustomer {
        customer: CustomerId,
        profile: Profile,
        metadata: Metadata,
    },
    LinkAccount {
        customer: CustomerId,
        account: AccountName,
    },
    UnlinkAccount {
        customer: CustomerId,
        account: AccountName,
    },
    /// Forgets what is known about a customer, for good.
    ForgetCustomer {
        customer: CustomerId,
    },
}

/// Opens an account. What is left out comes from the chart's rule for the name, if there is a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAccount {
    pub account: AccountName,
    /// Must be given where no chart gives it.
    pub kind: Option<AccountKind>,
    /// None, if nobody says otherwise.
    pub overdraft: Option<Overdraft>,
    /// No limits, if nobody says otherwise.
    pub limits: Option<Vec<BalanceLimit>>,
    /// The assets that it may hold. If there are none: those of the chart's rule, or any.
    pub assets: Vec<Asset>,
    pub metadata: Metadata,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostTransaction {
    pub transaction: TransactionId,
    /// Debits and credits, equal in every asset.
    pub entries: Vec<Entry>,
    /// The time of recording, if none is given.
    pub effective_at: Option<DateTime<Utc>>,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
}

/// Takes a posted transaction back, wholly or in part, by posting the opposite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseTransaction {
    /// The transaction to take back.
    pub transaction: TransactionId,
    /// The id of the transaction that takes it back.
    pub reversal: TransactionId,
    pub part: ReversedPart,
    pub effective_at: ReversalTime,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
}

/// How much of a transaction is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversedPart {
    /// All of it; nothing of it may have been taken back before.
    Whole,
    /// This much of a transaction that has one debit and one credit.
    Amount(Amount),
    /// By these entries, each against entries of the transaction.
    Entries(Vec<Entry>),
}

/// When a reversal takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversalTime {
    /// When it is recorded.
    Now,
    /// When the transaction that it takes back did.
    Original,
    At(DateTime<Utc>),
}

/// Sets value aside for a transaction to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceHold {
    pub hold: HoldId,
    /// The account that the transaction will debit.
    pub debit: AccountName,
    /// The account that it will credit.
    pub credit: AccountName,
    pub asset: Asset,
    pub amount: Amount,
    /// From this time on it cannot be captured; never, if none is given.
    pub expires_at: Option<DateTime<Utc>>,
    pub metadata: Metadata,
}

/// Posts what a hold set aside, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureHold {
    pub hold: HoldId,
    /// The id of the transaction that is posted.
    pub transaction: TransactionId,
    /// All that is left, if none is given.
    pub amount: Option<Amount>,
    /// Whether what is left then is given back.
    pub is_final: bool,
    /// The time of recording, if none is given.
    pub effective_at: Option<DateTime<Utc>>,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
}

/// What a balance must be for a command to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    pub account: AccountName,
    pub asset: Asset,
    pub figure: Figure,
    pub comparison: Comparison,
    /// In minor units, on the account's normal side.
    pub amount: i128,
}

/// Which of a balance's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    Posted,
    Held,
    Incoming,
    Available,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    AtLeast,
    AtMost,
    Equal,
}

impl From<Command> for Request {
    fn from(command: Command) -> Request {
        Request { command, expect: Vec::new() }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Figure::Posted => "posted",
            Figure::Held => "held",
            Figure::Incoming => "incoming",
            Figure::Available => "available",
        })
    }
}

impl Comparison {
    /// Whether a figure is as expected.
    pub fn holds(self, figure: i128, expected: i128) -> bool {
        match self {
            Comparison::AtLeast => figure >= expected,
            Comparison::AtMost => figure <= expected,
            Comparison::Equal => figure == expected,
        }
    }

    /// In words, before an amount.
    pub(crate) fn words(self) -> String {
        self.to_string().replace('_', " ")
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Comparison::AtLeast => "at_least",
            Comparison::AtMost => "at_most",
            Comparison::Equal => "equal_to",
        })
    }
}
