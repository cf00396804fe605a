//! Decimal numbers as they appear in files.

use std::fmt;

use recount_events::ledger::Asset;

/// A decimal number as written: `-4.00` is -400 with two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    decimals: u8,
}

/// The marks between groups of digits in various countries, when they are not the decimal mark.
const GROUP_MARKS: [char; 7] = ['.', ',', ' ', '\u{a0}', '\u{202f}', '\'', '’'];

impl Decimal {
    const DECIMALS_MAX: usize = Asset::SCALE_MAX as usize;

    pub(crate) fn new(digits: i128, decimals: u8) -> Decimal {
        Decimal { digits, decimals }
    }

    /// Parses a number. The default decimal mark is a point. Digits may be grouped only if the mark is specified: otherwise
    /// `1,234` would be ambiguous.
    pub(crate) fn parse(text: &str, decimal_mark: Option<char>) -> Result<Decimal, String> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let point = decimal_mark.unwrap_or('.');
        let (whole, fraction) = unsigned.split_once(point).unwrap_or((unsigned, ""));
        let whole = if decimal_mark.is_some() { ungrouped(whole, point) } else { whole.to_owned() };
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unreadable(text, decimal_mark));
        }
        if fraction.len() > Decimal::DECIMALS_MAX {
            return Err(format!("`{text}` has more than {} decimals", Decimal::DECIMALS_MAX));
        }
        let digits: i128 = digits.parse().map_err(|_| format!("`{text}` is too large"))?;
        let decimals = u8::try_from(fraction.len()).expect("checked just above");
        Ok(Decimal { digits: if negative { -digits } else { digits }, decimals })
    }

    pub(crate) fn is_zero(self) -> bool {
        self.digits == 0
    }

    pub(crate) fn is_negative(self) -> bool {
        self.digits < 0
    }

    pub(crate) fn negated(self) -> Decimal {
        Decimal { digits: -self.digits, ..self }
    }

    pub(crate) fn decimals(self) -> u8 {
        self.decimals
    }

    /// The number in minor units of this scale; none if it has more decimals than that, or overflows.
    pub(crate) fn minor_units(self, scale: u8) -> Option<i128> {
        let missing = scale.checked_sub(self.decimals)?;
        self.digits.checked_mul(10_i128.checked_pow(u32::from(missing))?)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = usize::from(self.decimals);
        let digits = format!("{:0>width$}", self.digits.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let sign = if self.digits < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}{}{fraction}", if decimals > 0 { "." } else { "" })
    }
}

/// The digits without the marks between groups. The last group always has three digits, which mostly catches a decimal mark
/// that is mistaken for a group mark.
fn ungrouped(whole: &str, decimal_mark: char) -> String {
    let is_group_mark = |c: char| c != decimal_mark && GROUP_MARKS.contains(&c);
    let Some(mark) = whole.chars().find(|c| is_group_mark(*c)) else { return whole.to_owned() };
    let groups: Vec<usize> = whole.split(mark).map(str::len).collect();
    let are_groups = match groups.as_slice() {
        [first, between @ .., last] => {
            (1..=3).contains(first) && between.iter().all(|len| (2..=3).contains(len)) && *last == 3
        }
        _ => false,
    };
    if are_groups { whole.replace(mark, "") } else { whole.to_owned() }
}

fn unreadable(text: &str, decimal_mark: Option<char>) -> String {
    match decimal_mark {
        Some(mark) => format!("`{text}` is not a decimal number such as -12{mark}34"),
        None if text.contains(GROUP_MARKS) && text.contains(|c: char| c.is_ascii_digit()) => format!(
            "`{text}` is not a decimal number such as -12.34; if its digits are grouped, or the decimal mark is a comma, \
             specify --decimal-mark"
        ),
        None => format!("`{text}` is not a decimal number such as -12.34"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, decimal_mark: Option<char>) -> String {
        match Decimal::parse(text, decimal_mark) {
            Ok(decimal) => decimal.to_string(),
            Err(reason) => reason,
        }
    }

    #[test]
    fn numbers_are_parsed_as_other_programs_write_them() {
        for (text, is) in [
            ("-4.00", "-4.00"),
            ("+1", "1"),
            ("-0", "0"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5"),
            ("0012.3", "12.3"),
            ("0.123456789012345678", "0.123456789012345678"),
        ] {
            assert_eq!(shown(text, None), is);
        }
    }

    #[test]
    fn digits_may_be_grouped_if_the_decimal_mark_is_specified() {
        for (text, mark, is) in [
            ("1,234,567.89", '.', "1234567.89"),
            ("12,34,567.8", '.', "1234567.8"),
            ("1'234.50", '.', "1234.50"),
            ("1 234.50", '.', "1234.50"),
            ("1.234,50", ',', "1234.50"),
            ("-1\u{202f}234,5", ',', "-1234.5"),
            ("1,234", '.', "1234"),
            ("1,234", ',', "1.234"),
            ("1.234", ',', "1234"),
            ("12", ',', "12"),
        ] {
            assert_eq!(shown(text, Some(mark)), is, "{text}");
        }
        for (text, mark) in [
            ("1,5", '.'),
            ("1,23", '.'),
            ("1.50", ','),
            ("1234,567", '.'),
            ("1,2,345", '.'),
            (",234", '.'),
            ("1,234'567", '.'),
            ("1.234.5", '.'),
            ("1,234,", '.'),
        ] {
            assert!(shown(text, Some(mark)).contains("is not a decimal number"), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_a_number_is_refused() {
        for text in ["", "-", "+", ".", "-.", "--1", "1.2.3", "1e3", "NaN", "$1", "(1)", "- 1", "one"] {
            assert!(shown(text, None).contains("is not a decimal number"), "{text}");
        }
        for text in ["1,000.00", "1 000", "1,5", "1'000"] {
            assert!(shown(text, None).contains("--decimal-mark"), "{text}");
        }
    }

    #[test]
    fn a_number_that_overflows_is_refused() {
        assert!(shown("0.0000000000000000001", None).contains("18 decimals"));
        assert!(shown("170141183460469231731687303715884105728", None).contains("too large"));
        assert_eq!(Decimal::parse("-4.5", None).unwrap().minor_units(2), Some(-450));
        assert_eq!(Decimal::parse("4.567", None).unwrap().minor_units(2), None);
        assert_eq!(Decimal::parse(&i128::MAX.to_string(), None).unwrap().minor_units(2), None);
    }
}
