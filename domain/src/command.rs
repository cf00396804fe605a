//! What can be asked of a ledger.

use chrono::{DateTime, Utc};
use recount_events::ledger::{
    AccountKind, AccountName, Asset, Entry, FreezeScope, Metadata, Overdraft, Reference, TransactionId,
};

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
    OpenAccount(OpenAccount),
    FreezeAccount {
        account: AccountName,
        scope: FreezeScope,
    },
    UnfreezeAccount {
        account: AccountName,
        scope: FreezeScope,
    },
    /// Closes an account for good. It must be at zero in every asset.
    CloseAccount {
        account: AccountName,
    },
    SetOverdraftPolicy {
        account: AccountName,
        overdraft: Overdraft,
    },
    PostTransaction(PostTransaction),
    ReverseTransaction(ReverseTransaction),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAccount {
    pub account: AccountName,
    pub kind: AccountKind,
    pub overdraft: Overdraft,
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

/// Takes a posted transaction back, whole and once, by posting its opposite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseTransaction {
    /// The transaction to take back.
    pub transaction: TransactionId,
    /// The id of the transaction that takes it back.
    pub reversal: TransactionId,
    /// The time of recording, if none is given.
    pub effective_at: Option<DateTime<Utc>>,
    pub reference: Option<Reference>,
    pub metadata: Metadata,
}
