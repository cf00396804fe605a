//! Commands on holds.

use recount_domain::{CaptureHold, Command, PlaceHold};
use recount_events::ledger::AccountName;
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, given_or_new, moment, optional, parsed};
use super::free_json::MetadataData;

/// Sets value aside for a transaction to come: it is not available any more, and not yet posted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct HoldData {
    /// Chosen by the client so that a repeat is recognised; made by the service if it is left out.
    #[schema(example = "authorisation-7")]
    hold: Option<String>,
    /// The account that the transaction will debit.
    #[schema(example = "users:alice:main")]
    debit: String,
    /// The account that it will credit.
    #[schema(example = "shops:books")]
    credit: String,
    #[schema(example = "USD/2")]
    asset: String,
    /// Minor units, as a string of digits: 12.34 in USD/2 is `"1234"`.
    #[schema(example = "1234", pattern = "^[0-9]+$")]
    amount: String,
    /// The deadline: from this time on it cannot be captured, and the service gives back what is left. RFC 3339, or a
    /// date, which is its midnight in UTC. None, if it is left out.
    #[schema(example = "2030-01-31T12:00:00Z")]
    expires_at: Option<String>,
    /// Free JSON, 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: MetadataData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Posts what a hold set aside: all that is left, or a part. Parts can be captured one after another until nothing is
/// left.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct CaptureData {
    #[schema(example = "authorisation-7")]
    hold: String,
    /// The id of the transaction that is posted; made by the service if it is left out.
    #[schema(example = "capture-7-1")]
    transaction: Option<String>,
    /// Minor units, as a string of digits. All that is left, if it is left out.
    #[schema(example = "1000", pattern = "^[0-9]+$")]
    amount: Option<String>,
    /// Whether this is the last capture: what is left then is given back.
    #[serde(default, rename = "final")]
    is_final: bool,
    /// When it counts in business terms: RFC 3339, or a date, which is its midnight in UTC. The time of recording, if
    /// it is left out.
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

/// The hold that ends: what is left of it is given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct HoldIdData {
    #[schema(example = "authorisation-7")]
    hold: String,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

impl HoldData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let debit: AccountName = parsed("/debit", &self.debit)?;
        let credit: AccountName = parsed("/credit", &self.credit)?;
        if debit == credit {
            return Err(FormError::new("/credit", "a hold takes two different accounts"));
        }
        let expires_at = self.expires_at.as_deref().map(|text| moment("/expires_at", text));
        Ok(Command::Hold(PlaceHold {
            hold: given_or_new("/hold", self.hold.as_deref())?,
            debit,
            credit,
            asset: parsed("/asset", &self.asset)?,
            amount: parsed("/amount", &self.amount)?,
            expires_at: expires_at.transpose()?,
            metadata: self.metadata.into_metadata()?,
        }))
    }
}

impl CaptureData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let effective_at = self.effective_at.as_deref().map(|text| moment("/effective_at", text));
        Ok(Command::Capture(CaptureHold {
            hold: parsed("/hold", &self.hold)?,
            transaction: given_or_new("/transaction", self.transaction.as_deref())?,
            amount: optional("/amount", self.amount.as_deref())?,
            is_final: self.is_final,
            effective_at: effective_at.transpose()?,
            reference: optional("/reference", self.reference.as_deref())?,
            metadata: self.metadata.into_metadata()?,
        }))
    }
}

impl HoldIdData {
    pub(in crate::ledger) fn release(self) -> Result<Command, FormError> {
        Ok(Command::Release { hold: parsed("/hold", &self.hold)? })
    }

    pub(in crate::ledger) fn expire(self) -> Result<Command, FormError> {
        Ok(Command::Expire { hold: parsed("/hold", &self.hold)? })
    }
}

objects!(CaptureData, HoldData, HoldIdData);
expects!(HoldData, CaptureData, HoldIdData);
