//! Expectations: conditions on balances that a command can carry.

use recount_domain::{Comparison, Expectation, Figure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::fields::{FormError, at_most, parsed_in};

/// Expectations of one command: each names an account that is looked up.
const EXPECTATIONS_MAX: usize = 100;

/// A condition on a balance when the command is decided; if it does not hold, the command is rejected. Give at least
/// one of `at_least`, `at_most` and `equal_to`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ExpectationData {
    #[schema(example = "users:alice:main")]
    account: String,
    #[schema(example = "USD/2")]
    asset: String,
    /// The figure of the balance. Default `available`.
    #[serde(default)]
    balance: FigureData,
    /// Minor units on the account's normal side, as a string of digits, with a `-` if negative.
    #[schema(example = "1234", pattern = "^-?[0-9]+$")]
    at_least: Option<String>,
    #[schema(example = "100000", pattern = "^-?[0-9]+$")]
    at_most: Option<String>,
    #[schema(example = "5000", pattern = "^-?[0-9]+$")]
    equal_to: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", rename_all = "lowercase")]
pub(super) enum FigureData {
    Posted,
    Held,
    Incoming,
    #[default]
    Available,
}

/// The data of a command. Every command can have expectations.
pub(in crate::ledger) trait CommandData: DeserializeOwned {
    fn take_expectations(&mut self) -> Vec<ExpectationData>;
}

/// Implements [`CommandData`] for types that have a member `expect`.
macro_rules! command_data {
    ($($data:ident),* $(,)?) => {
        $(impl crate::ledger::wire::CommandData for $data {
            fn take_expectations(&mut self) -> Vec<ExpectationData> {
                std::mem::take(&mut self.expect)
            }
        })*
    };
}

/// The expectations of a command, one for each comparison.
pub(in crate::ledger) fn expectations(data: &[ExpectationData]) -> Result<Vec<Expectation>, FormError> {
    at_most("/expect", data, EXPECTATIONS_MAX, "expectations")?;
    let mut expectations = Vec::with_capacity(data.len());
    for (n, data) in data.iter().enumerate() {
        let comparisons = [
            ("at_least", &data.at_least, Comparison::AtLeast),
            ("at_most", &data.at_most, Comparison::AtMost),
            ("equal_to", &data.equal_to, Comparison::Equal),
        ];
        let first = expectations.len();
        for (member, text, comparison) in comparisons {
            let Some(text) = text else { continue };
            expectations.push(Expectation {
                account: parsed_in("expect", n, "account", &data.account)?,
                asset: parsed_in("expect", n, "asset", &data.asset)?,
                figure: data.balance.into(),
                comparison,
                amount: signed(&format!("/expect/{n}/{member}"), text)?,
            });
        }
        if expectations.len() == first {
            let reason = "give at least one of `at_least`, `at_most` and `equal_to`";
            return Err(FormError::new(format!("/expect/{n}"), reason));
        }
    }
    Ok(expectations)
}

fn signed(at: &str, text: &str) -> Result<i128, FormError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let well_formed = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(amount) if well_formed => Ok(amount),
        _ => Err(FormError::new(at, "it must be a whole number of minor units, as a string of digits")),
    }
}

impl From<FigureData> for Figure {
    fn from(figure: FigureData) -> Figure {
        match figure {
            FigureData::Posted => Figure::Posted,
            FigureData::Held => Figure::Held,
            FigureData::Incoming => Figure::Incoming,
            FigureData::Available => Figure::Available,
        }
    }
}

recount_service_kit::objects!(ExpectationData);
recount_service_kit::words!(FigureData);
