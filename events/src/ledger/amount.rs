//! Amounts: whole minor units, as text in JSON.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A positive number of minor units. `12345` of `USD/2` is 123.45 dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount(i128);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("an amount is a string of digits, in whole minor units: 12.34 in USD/2 is written \"1234\"")]
    NotWhole,
    #[error("an amount is more than zero; the direction of an entry gives it its sign")]
    NotPositive,
    #[error("an amount is at most {} minor units", i128::MAX)]
    TooLarge,
}

impl Amount {
    /// The amount, if `minor_units` is more than zero.
    pub fn new(minor_units: i128) -> Result<Amount, AmountError> {
        if minor_units > 0 { Ok(Amount(minor_units)) } else { Err(AmountError::NotPositive) }
    }

    /// The sum, or the most that an amount can be.
    #[must_use]
    pub fn saturating_add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    /// What is left of it, if anything is.
    pub fn less(self, other: Amount) -> Option<Amount> {
        Amount::new(self.0.checked_sub(other.0)?).ok()
    }

    /// In minor units; always more than zero.
    pub fn minor_units(self) -> i128 {
        self.0
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Amount, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotWhole);
        }
        if negative {
            return Err(AmountError::NotPositive);
        }
        Amount::new(digits.parse().map_err(|_| AmountError::TooLarge)?)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A positive number of minor units: `12345` of `USD/2` is 123.45 dollars. At most 2^127 - 1.",
            "type": "string",
            "pattern": "^[1-9][0-9]{0,38}$",
        })
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map(Amount).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_positive_whole_and_fits() {
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
    fn an_amount_is_text_in_json() {
        let amount = Amount::new(i128::MAX).unwrap();
        let json = serde_json::to_string(&amount).unwrap();
        assert_eq!(json, format!("\"{}\"", i128::MAX));
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        assert_eq!(amount.to_string(), i128::MAX.to_string());
        // Escapes are text too; numbers are not.
        assert_eq!(serde_json::from_str::<Amount>(r#""\u0031""#).unwrap().minor_units(), 1);
        assert!(serde_json::from_str::<Amount>("1").is_err());
        assert!(serde_json::from_str::<Amount>("\"1.5\"").is_err());
    }

    #[test]
    fn amounts_add_up_to_the_most_and_leave_something_or_nothing() {
        let amount = |minor_units| Amount::new(minor_units).unwrap();
        assert_eq!(amount(2).saturating_add(amount(3)), amount(5));
        assert_eq!(amount(i128::MAX - 1).saturating_add(amount(1)), amount(i128::MAX));
        assert_eq!(amount(i128::MAX).saturating_add(amount(1)), amount(i128::MAX));
        assert_eq!(amount(5).less(amount(3)), Some(amount(2)));
        assert_eq!(amount(5).less(amount(4)), Some(amount(1)));
        assert_eq!(amount(5).less(amount(5)), None);
        assert_eq!(amount(1).less(amount(i128::MAX)), None);
        assert_eq!(Amount::new(0), Err(AmountError::NotPositive));
        assert_eq!(Amount::new(-1), Err(AmountError::NotPositive));
    }
}
