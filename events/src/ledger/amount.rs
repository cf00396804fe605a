//! Amounts: whole minor units, strings in JSON.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A positive number of minor units: `12345` of `USD/2` is 123.45 dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount(i128);

/// Why a string is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("an amount must be a string of digits, in whole minor units: write 12.34 in USD/2 as \"1234\"")]
    NotWhole,
    #[error("an amount must be greater than zero; the direction of an entry gives the sign")]
    NotPositive,
    #[error("an amount must not exceed {} minor units", i128::MAX)]
    TooLarge,
    #[error("a limit must not be negative")]
    Negative,
}

/// The minimum or maximum of a balance, in minor units: zero or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitAmount(i128);

impl LimitAmount {
    /// The limit, if `minor_units` is not negative.
    pub fn new(minor_units: i128) -> Result<LimitAmount, AmountError> {
        if minor_units >= 0 { Ok(LimitAmount(minor_units)) } else { Err(AmountError::Negative) }
    }

    /// The number of minor units; never negative.
    pub fn minor_units(self) -> i128 {
        self.0
    }
}

impl FromStr for LimitAmount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<LimitAmount, AmountError> {
        let (negative, magnitude) = parse_whole(text)?;
        if negative { Err(AmountError::Negative) } else { LimitAmount::new(magnitude) }
    }
}

impl Amount {
    /// The amount, if `minor_units` is greater than zero.
    pub fn new(minor_units: i128) -> Result<Amount, AmountError> {
        if minor_units > 0 { Ok(Amount(minor_units)) } else { Err(AmountError::NotPositive) }
    }

    /// The sum, or the largest amount if the sum is larger.
    #[must_use]
    pub fn saturating_add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    /// The difference; `None` if it is not positive.
    pub fn checked_sub(self, other: Amount) -> Option<Amount> {
        Amount::new(self.0.checked_sub(other.0)?).ok()
    }

    /// The number of minor units; always greater than zero.
    pub fn minor_units(self) -> i128 {
        self.0
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Amount, AmountError> {
        let (negative, magnitude) = parse_whole(text)?;
        if negative { Err(AmountError::NotPositive) } else { Amount::new(magnitude) }
    }
}

/// Whether a whole number is negative, and its magnitude.
fn parse_whole(text: &str) -> Result<(bool, i128), AmountError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AmountError::NotWhole);
    }
    Ok((negative, digits.parse().map_err(|_| AmountError::TooLarge)?))
}

/// Formats and stores a number of minor units as a string. Reading does not validate it: recorded events are facts.
macro_rules! minor_units_as_string {
    ($name:ident, $description:literal, $pattern:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map($name).map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": $description,
                    "type": "string",
                    "pattern": $pattern,
                })
            }
        }
    };
}

minor_units_as_string!(
    Amount,
    "A positive number of minor units: `12345` of `USD/2` is 123.45 dollars. At most 2^127 - 1.",
    "^[1-9][0-9]{0,38}$"
);
minor_units_as_string!(
    LimitAmount,
    "A number of minor units, zero or more: `12345` of `USD/2` is 123.45 dollars. At most 2^127 - 1.",
    "^(0|[1-9][0-9]{0,38})$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_positive_whole_number_of_127_bits() {
        assert_eq!("1".parse::<Amount>().unwrap().minor_units(), 1);
        assert_eq!(i128::MAX.to_string().parse::<Amount>().unwrap().minor_units(), i128::MAX);
        for (text, error) in [
            ("0", AmountError::NotPositive),
            ("-5", AmountError::NotPositive),
            ("1.5", AmountError::NotWhole),
            ("1e3", AmountError::NotWhole),
            ("+1", AmountError::NotWhole),
            ("", AmountError::NotWhole),
            ("-", AmountError::NotWhole),
            (" 1", AmountError::NotWhole),
            ("170141183460469231731687303715884105728", AmountError::TooLarge),
        ] {
            assert_eq!(text.parse::<Amount>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_limit_is_not_negative() {
        assert_eq!("0".parse::<LimitAmount>().unwrap().minor_units(), 0);
        assert_eq!("17".parse::<LimitAmount>().unwrap().minor_units(), 17);
        for (text, error) in [
            ("-1", AmountError::Negative),
            ("1.5", AmountError::NotWhole),
            ("", AmountError::NotWhole),
            ("170141183460469231731687303715884105728", AmountError::TooLarge),
        ] {
            assert_eq!(text.parse::<LimitAmount>(), Err(error), "{text:?}");
        }
        assert_eq!(LimitAmount::new(-1), Err(AmountError::Negative));
    }

    #[test]
    fn an_amount_is_a_string_in_json() {
        let amount = Amount::new(i128::MAX).unwrap();
        let json = serde_json::to_string(&amount).unwrap();
        assert_eq!(json, format!("\"{}\"", i128::MAX));
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        assert_eq!(amount.to_string(), i128::MAX.to_string());
        // A string with escapes is accepted; a number is not.
        assert_eq!(serde_json::from_str::<Amount>(r#""\u0031""#).unwrap().minor_units(), 1);
        assert!(serde_json::from_str::<Amount>("1").is_err());
        assert!(serde_json::from_str::<Amount>("\"1.5\"").is_err());
    }

    #[test]
    fn amounts_are_added_and_subtracted_within_their_range() {
        let amount = |minor_units| Amount::new(minor_units).unwrap();
        assert_eq!(amount(2).saturating_add(amount(3)), amount(5));
        assert_eq!(amount(i128::MAX - 1).saturating_add(amount(1)), amount(i128::MAX));
        assert_eq!(amount(i128::MAX).saturating_add(amount(1)), amount(i128::MAX));
        assert_eq!(amount(5).checked_sub(amount(3)), Some(amount(2)));
        assert_eq!(amount(5).checked_sub(amount(4)), Some(amount(1)));
        assert_eq!(amount(5).checked_sub(amount(5)), None);
        assert_eq!(amount(1).checked_sub(amount(i128::MAX)), None);
        assert_eq!(Amount::new(0), Err(AmountError::NotPositive));
        assert_eq!(Amount::new(-1), Err(AmountError::NotPositive));
    }
}
