//! What the sender of a command takes for granted.

use recount_domain::{Comparison, Expectation, Figure};
use serde::Deserialize;
use utoipa::ToSchema;

use super::fields::{FormError, at_most, parsed_in};

/// Each names an account that is looked up.
const EXPECTATIONS_MAX: usize = 100;

/// What a balance must be when the command is decided; otherwise it is rejected. Give one bound or more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ExpectationData {
    #[schema(example = "users:alice:main")]
    account: String,
    #[schema(example = "USD/2")]
    asset: String,
    /// Which of its figures; what is available, if it is left out.
    #[serde(default)]
    balance: FigureData,
    /// Minor units on the account's normal side, as a string of digits, with a `-` before it if it is negative.
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

/// Data of a command, which may have expectations.
pub(in crate::ledger) trait Expects {
    fn take_expectations(&mut self) -> Vec<ExpectationData>;
}

/// For data of commands, each with a member `expect`.
macro_rules! expects {
    ($($data:ident),* $(,)?) => {
        $(impl crate::ledger::wire::Expects for $data {
            fn take_expectations(&mut self) -> Vec<ExpectationData> {
                std::mem::take(&mut self.expect)
            }
        })*
    };
}

/// The expectations of a command, one for each bound.
pub(in crate::ledger) fn expectations(data: &[ExpectationData]) -> Result<Vec<Expectation>, FormError> {
    at_most("/expect", data, EXPECTATIONS_MAX, "expectations")?;
    let mut expectations = Vec::with_capacity(data.len());
    for (n, data) in data.iter().enumerate() {
        let bounds = [
            ("at_least", &data.at_least, Comparison::AtLeast),
            ("at_most", &data.at_most, Comparison::AtMost),
            ("equal_to", &data.equal_to, Comparison::Equal),
        ];
        let first = expectations.len();
        for (member, text, comparison) in bounds {
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
            let reason = "give a bound: `at_least`, `at_most` or `equal_to`";
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
        _ => Err(FormError::new(at, "it is a whole number of minor units, as a string of digits")),
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

objects!(ExpectationData);
words!(FigureData);
