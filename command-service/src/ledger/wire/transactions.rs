//! Commands on transactions.

use recount_domain::{Command, PostTransaction, ReversalTime, ReverseTransaction, ReversedPart};
use recount_events::ledger::{AccountName, Amount, Asset, Direction, Entry, TransactionId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, given_or_new, moment, optional, parsed, parsed_in};
use super::free_json::MetadataData;

/// What a reversal says that takes effect when the transaction did which it takes back.
const ORIGINAL: &str = "original";

/// Posts a transaction: `entries`, or `transfers` as shorthand, whose debits equal its credits in every asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct PostTransactionData {
    /// Chosen by the client so that a repeat is recognised; made by the service if it is left out.
    #[schema(example = "order-1001")]
    transaction: Option<String>,
    /// Debits and credits. Give these or `transfers`.
    entries: Option<Vec<EntryData>>,
    /// Two entries each. Give these or `entries`.
    transfers: Option<Vec<TransferData>>,
    /// When it counts in business terms: RFC 3339, or a date, which is its midnight in UTC. The time of recording, if
    /// it is left out.
    #[schema(example = "2026-01-31")]
    effective_at: Option<String>,
    /// Something outside that the transaction belongs to; unique in the ledger.
    reference: Option<String>,
    /// Free JSON, 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: MetadataData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(super) struct EntryData {
    #[schema(example = "users:alice:main")]
    account: String,
    direction: DirectionData,
    #[schema(example = "USD/2")]
    asset: String,
    /// Minor units, as a string of digits: 12.34 in USD/2 is `"1234"`.
    #[schema(example = "1234", pattern = "^[0-9]+$")]
    amount: String,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", rename_all = "lowercase")]
pub(super) enum DirectionData {
    Debit,
    Credit,
}

/// A debit of one account and a credit of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(super) struct TransferData {
    /// The account that is debited.
    #[schema(example = "bank:main")]
    debit: String,
    /// The account that is credited.
    #[schema(example = "users:alice:main")]
    credit: String,
    #[schema(example = "USD/2")]
    asset: String,
    /// Minor units, as a string of digits: 12.34 in USD/2 is `"1234"`.
    #[schema(example = "1234", pattern = "^[0-9]+$")]
    amount: String,
}

/// Takes a transaction back by posting its opposite: all of it, or a part, given as an `amount`, as `entries` or as
/// `transfers`. Parts can be taken back one after another until nothing is left, and nothing is taken back twice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ReverseTransactionData {
    /// The transaction to take back.
    #[schema(example = "order-1001")]
    transaction: String,
    /// The id of the transaction that takes it back; made by the service if it is left out.
    #[schema(example = "order-1001-refund-1")]
    reversal: Option<String>,
    /// This much of a transaction that has one debit and one credit. Minor units, as a string of digits.
    #[schema(example = "234", pattern = "^[0-9]+$")]
    amount: Option<String>,
    /// What the reversal posts: debits against credits of the transaction, and credits against its debits.
    entries: Option<Vec<EntryData>>,
    /// The same as `entries`, two each.
    transfers: Option<Vec<TransferData>>,
    /// RFC 3339, or a date, which is its midnight in UTC, or `original`: when the transaction did that it takes back.
    /// The time of recording, if it is left out.
    #[schema(example = "original")]
    effective_at: Option<String>,
    /// Something outside that the reversal belongs to; unique in the ledger.
    reference: Option<String>,
    /// Free JSON, 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: MetadataData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

impl PostTransactionData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let Some(entries) = entries(self.entries, self.transfers)? else {
            return Err(FormError::new("/entries", "give either `entries` or `transfers`"));
        };
        let effective_at = self.effective_at.as_deref().map(|text| moment("/effective_at", text));
        Ok(Command::PostTransaction(PostTransaction {
            transaction: given_or_new("/transaction", self.transaction.as_deref())?,
            entries,
            effective_at: effective_at.transpose()?,
            reference: optional("/reference", self.reference.as_deref())?,
            metadata: self.metadata.into_metadata()?,
        }))
    }
}

impl ReverseTransactionData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let transaction: TransactionId = parsed("/transaction", &self.transaction)?;
        let reversal: TransactionId = given_or_new("/reversal", self.reversal.as_deref())?;
        if transaction == reversal {
            let reason = "a transaction cannot reverse itself: choose another id";
            return Err(FormError::new("/reversal", reason));
        }
        let amount: Option<Amount> = optional("/amount", self.amount.as_deref())?;
        let part = match (amount, entries(self.entries, self.transfers)?) {
            (None, None) => ReversedPart::Whole,
            (Some(amount), None) => ReversedPart::Amount(amount),
            (None, Some(entries)) => ReversedPart::Entries(entries),
            (Some(_), Some(_)) => {
                return Err(FormError::new("/amount", "give an `amount`, or `entries` or `transfers`"));
            }
        };
        Ok(Command::ReverseTransaction(ReverseTransaction {
            transaction,
            reversal,
            part,
            effective_at: match self.effective_at.as_deref() {
                None => ReversalTime::Now,
                Some(ORIGINAL) => ReversalTime::Original,
                Some(text) => ReversalTime::At(moment("/effective_at", text)?),
            },
            reference: optional("/reference", self.reference.as_deref())?,
            metadata: self.metadata.into_metadata()?,
        }))
    }
}

/// The entries that either form gives; `None` if there are neither.
fn entries(
    entries: Option<Vec<EntryData>>,
    transfers: Option<Vec<TransferData>>,
) -> Result<Option<Vec<Entry>>, FormError> {
    match (entries, transfers) {
        (None, None) => Ok(None),
        (Some(entries), None) => {
            let entries = entries.into_iter().enumerate().map(|(n, entry)| entry.into_entry(n));
            entries.collect::<Result<_, _>>().map(Some)
        }
        (None, Some(transfers)) => {
            let mut entries = Vec::with_capacity(transfers.len() * 2);
            for (n, transfer) in transfers.into_iter().enumerate() {
                entries.extend(transfer.into_entries(n)?);
            }
            Ok(Some(entries))
        }
        (Some(_), Some(_)) => {
            Err(FormError::new("/entries", "give either `entries` or `transfers`, and not both"))
        }
    }
}

impl EntryData {
    fn into_entry(self, n: usize) -> Result<Entry, FormError> {
        let direction = match self.direction {
            DirectionData::Debit => Direction::Debit,
            DirectionData::Credit => Direction::Credit,
        };
        Ok(Entry {
            account: parsed_in("entries", n, "account", &self.account)?,
            direction,
            asset: parsed_in("entries", n, "asset", &self.asset)?,
            amount: parsed_in("entries", n, "amount", &self.amount)?,
        })
    }
}

impl TransferData {
    fn into_entries(self, n: usize) -> Result<[Entry; 2], FormError> {
        let debit: AccountName = parsed_in("transfers", n, "debit", &self.debit)?;
        let credit: AccountName = parsed_in("transfers", n, "credit", &self.credit)?;
        let asset: Asset = parsed_in("transfers", n, "asset", &self.asset)?;
        let amount: Amount = parsed_in("transfers", n, "amount", &self.amount)?;
        if debit == credit {
            let at = format!("/transfers/{n}/credit");
            return Err(FormError::new(at, "a transfer takes two different accounts"));
        }
        Ok([
            Entry { account: debit, direction: Direction::Debit, asset: asset.clone(), amount },
            Entry { account: credit, direction: Direction::Credit, asset, amount },
        ])
    }
}

objects!(EntryData, PostTransactionData, ReverseTransactionData, TransferData);
expects!(PostTransactionData, ReverseTransactionData);
words!(DirectionData);
