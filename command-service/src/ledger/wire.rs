//! The commands as they come over HTTP, and their way into the domain.
//!
//! What is checked here is form: types, names, amounts, sizes. Whether a command may happen is the domain's to say.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use recount_domain::{Command, OpenAccount, PostTransaction, ReverseTransaction};
use recount_events::ledger::{
    AccountKind, AccountName, Amount, Asset, Direction, Entry, FreezeScope, Metadata, Overdraft,
    OverdraftLimit, TransactionId,
};
use recount_service_kit::ids;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most bytes that the metadata of an account or a transaction may take as JSON: a note, not a document store.
pub(super) const METADATA_BYTES_MAX: usize = 8 * 1024;
/// How deep metadata may be nested: far from the depth at which readers of JSON give up, whatever it is wrapped in.
const METADATA_DEPTH_MAX: usize = 32;
/// The most assets that an account can have limits in: each is looked up, and kept with the account.
const OVERDRAFT_LIMITS_MAX: usize = 100;

macro_rules! command_kinds {
    ($($kind:ident = $name:literal;)*) => {
        /// The commands that can be sent over HTTP.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum CommandKind {
            $($kind,)*
        }

        impl CommandKind {
            pub const ALL: &[CommandKind] = &[$(CommandKind::$kind),*];

            /// As it is written in a path.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(CommandKind::$kind => $name,)*
                }
            }

            pub fn named(name: &str) -> Option<CommandKind> {
                CommandKind::ALL.iter().copied().find(|kind| kind.as_str() == name)
            }
        }
    };
}

command_kinds! {
    RegisterAsset = "register-asset";
    OpenAccount = "open-account";
    FreezeAccount = "freeze-account";
    UnfreezeAccount = "unfreeze-account";
    CloseAccount = "close-account";
    SetOverdraftPolicy = "set-overdraft-policy";
    PostTransaction = "post-transaction";
    ReverseTransaction = "reverse-transaction";
}

/// A value that has the right JSON type and breaks a rule of form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(super) struct FormError {
    /// Where in the command, as a JSON pointer: `/entries/1/amount`.
    pub at: String,
    pub reason: String,
}

impl FormError {
    fn new(at: impl Into<String>, reason: impl std::fmt::Display) -> FormError {
        FormError { at: at.into(), reason: reason.to_string() }
    }
}

/// Data of a command that can become a command of the domain.
pub(super) trait Wire {
    fn into_command(self) -> Result<Command, FormError>;
}

/// Makes the ledger count an asset in a scale. A ledger counts a code in one scale only.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterAssetData {
    /// `CODE/SCALE`: the scale is the number of decimals in which amounts are counted.
    #[schema(example = "USD/2")]
    asset: String,
}

/// Opens an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenAccountData {
    /// 1 to 16 segments joined by `:`.
    #[schema(example = "users:alice:main")]
    account: String,
    kind: KindData,
    /// How far below zero the balance may go, on the account's normal side. Not at all, if nothing is said.
    #[serde(default)]
    overdraft: OverdraftData,
    /// Free JSON, 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Metadata,
}

/// Asset and expense accounts grow by debits; liability, equity and income accounts by credits.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum KindData {
    Asset,
    Liability,
    Equity,
    Income,
    Expense,
}

/// `"none"`, `"unlimited"`, or `{"limited": [{"asset": "USD/2", "amount": "50000"}]}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum OverdraftData {
    #[default]
    None,
    /// In each of the assets named down to a limit, in any other not at all.
    Limited(Vec<OverdraftLimitData>),
    Unlimited,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverdraftLimitData {
    #[schema(example = "USD/2")]
    asset: String,
    /// Minor units, as a string of digits.
    #[schema(example = "50000")]
    amount: String,
}

/// Freezes or unfreezes an account for debits, for credits, or for both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FreezeData {
    #[schema(example = "users:alice:main")]
    account: String,
    #[serde(default)]
    scope: ScopeData,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScopeData {
    Debits,
    Credits,
    #[default]
    Both,
}

/// Closes an account for good. It must be at zero in every asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseAccountData {
    #[schema(example = "users:alice:main")]
    account: String,
}

/// Sets how far below zero an account may go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetOverdraftPolicyData {
    #[schema(example = "users:alice:main")]
    account: String,
    overdraft: OverdraftData,
}

/// Posts a transaction: `entries`, or `transfers` as shorthand, whose debits equal its credits in every asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostTransactionData {
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
    metadata: Metadata,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryData {
    #[schema(example = "users:alice:main")]
    account: String,
    direction: DirectionData,
    #[schema(example = "USD/2")]
    asset: String,
    /// Minor units, as a string of digits: 12.34 in USD/2 is `"1234"`.
    #[schema(example = "1234")]
    amount: String,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DirectionData {
    Debit,
    Credit,
}

/// A debit of one account and a credit of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
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
    #[schema(example = "1234")]
    amount: String,
}

/// Takes a transaction back, whole and once, by posting its opposite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReverseTransactionData {
    /// The transaction to take back.
    #[schema(example = "order-1001")]
    transaction: String,
    /// The id of the transaction that takes it back; made by the service if it is left out.
    #[schema(example = "order-1001-reversed")]
    reversal: Option<String>,
    /// RFC 3339, or a date, which is its midnight in UTC. The time of recording, if it is left out.
    effective_at: Option<String>,
    /// Something outside that the reversal belongs to; unique in the ledger.
    reference: Option<String>,
    /// Free JSON, 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Metadata,
}

impl Wire for RegisterAssetData {
    fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::RegisterAsset { asset: parsed("/asset", &self.asset)? })
    }
}

impl Wire for OpenAccountData {
    fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::OpenAccount(OpenAccount {
            account: parsed("/account", &self.account)?,
            kind: self.kind.into(),
            overdraft: self.overdraft.into_overdraft()?,
            metadata: bounded(self.metadata)?,
        }))
    }
}

impl Wire for CloseAccountData {
    fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::CloseAccount { account: parsed("/account", &self.account)? })
    }
}

impl Wire for SetOverdraftPolicyData {
    fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::SetOverdraftPolicy {
            account: parsed("/account", &self.account)?,
            overdraft: self.overdraft.into_overdraft()?,
        })
    }
}

impl FreezeData {
    pub(super) fn freeze(self) -> Result<Command, FormError> {
        Ok(Command::FreezeAccount { account: parsed("/account", &self.account)?, scope: self.scope.into() })
    }

    pub(super) fn unfreeze(self) -> Result<Command, FormError> {
        Ok(Command::UnfreezeAccount { account: parsed("/account", &self.account)?, scope: self.scope.into() })
    }
}

impl Wire for PostTransactionData {
    fn into_command(self) -> Result<Command, FormError> {
        let entries = match (self.entries, self.transfers) {
            (Some(entries), None) => entries
                .into_iter()
                .enumerate()
                .map(|(n, entry)| entry.into_entry(n))
                .collect::<Result<_, _>>()?,
            (None, Some(transfers)) => {
                let mut entries = Vec::with_capacity(transfers.len() * 2);
                for (n, transfer) in transfers.into_iter().enumerate() {
                    entries.extend(transfer.into_entries(n)?);
                }
                entries
            }
            _ => {
                return Err(FormError::new("/entries", "give either `entries` or `transfers`, and not both"));
            }
        };
        Ok(Command::PostTransaction(PostTransaction {
            transaction: given_or_new("/transaction", self.transaction.as_deref())?,
            entries,
            effective_at: self.effective_at.as_deref().map(moment).transpose()?,
            reference: self.reference.as_deref().map(|text| parsed("/reference", text)).transpose()?,
            metadata: bounded(self.metadata)?,
        }))
    }
}

impl Wire for ReverseTransactionData {
    fn into_command(self) -> Result<Command, FormError> {
        let transaction: TransactionId = parsed("/transaction", &self.transaction)?;
        let reversal: TransactionId = given_or_new("/reversal", self.reversal.as_deref())?;
        if transaction == reversal {
            return Err(FormError::new(
                "/reversal",
                "a transaction cannot reverse itself: choose another id",
            ));
        }
        Ok(Command::ReverseTransaction(ReverseTransaction {
            transaction,
            reversal,
            effective_at: self.effective_at.as_deref().map(moment).transpose()?,
            reference: self.reference.as_deref().map(|text| parsed("/reference", text)).transpose()?,
            metadata: bounded(self.metadata)?,
        }))
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

impl OverdraftData {
    fn into_overdraft(self) -> Result<Overdraft, FormError> {
        let limits = match self {
            OverdraftData::None => return Ok(Overdraft::None),
            OverdraftData::Unlimited => return Ok(Overdraft::Unlimited),
            OverdraftData::Limited(limits) => limits,
        };
        if limits.len() > OVERDRAFT_LIMITS_MAX {
            let reason = format!(
                "an account has limits in {OVERDRAFT_LIMITS_MAX} assets at most; these are {}",
                limits.len()
            );
            return Err(FormError::new("/overdraft/limited", reason));
        }
        let mut parsed_limits: Vec<OverdraftLimit> = Vec::with_capacity(limits.len());
        for (n, limit) in limits.into_iter().enumerate() {
            let asset: Asset = parsed_in("overdraft/limited", n, "asset", &limit.asset)?;
            if parsed_limits.iter().any(|other| other.asset == asset) {
                return Err(FormError::new(
                    format!("/overdraft/limited/{n}/asset"),
                    "an asset has one limit",
                ));
            }
            let amount = parsed_in("overdraft/limited", n, "amount", &limit.amount)?;
            parsed_limits.push(OverdraftLimit { asset, amount });
        }
        Ok(Overdraft::Limited(parsed_limits))
    }
}

impl From<KindData> for AccountKind {
    fn from(kind: KindData) -> AccountKind {
        match kind {
            KindData::Asset => AccountKind::Asset,
            KindData::Liability => AccountKind::Liability,
            KindData::Equity => AccountKind::Equity,
            KindData::Income => AccountKind::Income,
            KindData::Expense => AccountKind::Expense,
        }
    }
}

impl From<ScopeData> for FreezeScope {
    fn from(scope: ScopeData) -> FreezeScope {
        match scope {
            ScopeData::Debits => FreezeScope::Debits,
            ScopeData::Credits => FreezeScope::Credits,
            ScopeData::Both => FreezeScope::Both,
        }
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(at: &str, text: &str) -> Result<T, FormError> {
    text.parse().map_err(|error| FormError::new(at, error))
}

fn parsed_in<T: std::str::FromStr<Err: std::fmt::Display>>(
    list: &str,
    n: usize,
    member: &str,
    text: &str,
) -> Result<T, FormError> {
    text.parse().map_err(|error| FormError::new(format!("/{list}/{n}/{member}"), error))
}

fn given_or_new(at: &str, id: Option<&str>) -> Result<TransactionId, FormError> {
    match id {
        Some(id) => parsed(at, id),
        None => Ok(TransactionId::from_stored(&ids::new_id().to_string())),
    }
}

fn bounded(metadata: Metadata) -> Result<Metadata, FormError> {
    if metadata.is_empty() {
        return Ok(metadata);
    }
    let bytes = serde_json::to_string(&metadata).map_or(usize::MAX, |json| json.len());
    if bytes > METADATA_BYTES_MAX {
        let reason = format!("metadata takes {METADATA_BYTES_MAX} bytes of JSON at most; this is {bytes}");
        return Err(FormError::new("/metadata", reason));
    }
    if metadata.values().any(|value| is_deeper_than(value, METADATA_DEPTH_MAX)) {
        return Err(FormError::new(
            "/metadata",
            format!("metadata is nested {METADATA_DEPTH_MAX} levels deep at most"),
        ));
    }
    Ok(metadata)
}

/// Whether a value is nested deeper than this. Goes no deeper itself.
fn is_deeper_than(value: &serde_json::Value, levels: usize) -> bool {
    let deeper = |inner: &serde_json::Value| levels == 0 || is_deeper_than(inner, levels - 1);
    match value {
        serde_json::Value::Array(values) => values.iter().any(deeper),
        serde_json::Value::Object(members) => members.values().any(deeper),
        _ => false,
    }
}

/// A moment, in the microseconds that the store keeps.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, FormError> {
    let parsed = if text.len() == 10 {
        text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN).and_utc())
    } else {
        DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc())
    };
    let micros = parsed.ok().and_then(|moment| DateTime::from_timestamp_micros(moment.timestamp_micros()));
    micros.ok_or_else(|| {
        FormError::new(
            "/effective_at",
            format!("`{text}` is neither RFC 3339, as 2026-01-31T12:00:00Z, nor a date, as 2026-01-31"),
        )
    })
}
