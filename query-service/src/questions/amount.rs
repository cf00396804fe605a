//! Amounts as text: whole minor units, and decimals for people.
//!
//! There is no arithmetic here: the database adds, in `numeric`, so that no sum can overflow.

/// The amount with the other sign.
pub(super) fn negated(minor_units: &str) -> String {
    match minor_units.strip_prefix('-') {
        Some(digits) => digits.to_owned(),
        None if is_zero(minor_units) => minor_units.to_owned(),
        None => format!("-{minor_units}"),
    }
}

pub(crate) fn is_zero(minor_units: &str) -> bool {
    minor_units.bytes().all(|byte| byte == b'0')
}

/// The balance on the normal side of an account of this kind, given a net amount in which debits are positive.
pub(super) fn on_normal_side(kind: &str, net: &str) -> String {
    if matches!(kind, "asset" | "expense") { net.to_owned() } else { negated(net) }
}

/// The amount as a decimal with all digits of the asset's scale, followed by the asset's code: `-3077.70 USD`.
pub(super) fn formatted(minor_units: &str, asset: &str) -> String {
    let (code, scale) = asset.split_once('/').unwrap_or((asset, "0"));
    let scale: usize = scale.parse().unwrap_or(0);
    format!("{} {code}", decimal(minor_units, scale))
}

fn decimal(minor_units: &str, scale: usize) -> String {
    let (sign, digits) = match minor_units.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", minor_units),
    };
    if scale == 0 {
        return minor_units.to_owned();
    }
    // At least one digit before the point.
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_formatted_with_all_decimals_of_its_asset() {
        for (minor_units, asset, shown) in [
            ("59605", "USD/2", "596.05 USD"),
            ("-307770", "USD/2", "-3077.70 USD"),
            ("5", "USD/2", "0.05 USD"),
            ("-5", "USD/2", "-0.05 USD"),
            ("0", "USD/2", "0.00 USD"),
            ("12", "JPY/0", "12 JPY"),
            ("1", "BTC/8", "0.00000001 BTC"),
            (
                "340282366920938463463374607431768211454",
                "USD/2",
                "3402823669209384634633746074317682114.54 USD",
            ),
        ] {
            assert_eq!(formatted(minor_units, asset), shown);
        }
    }

    #[test]
    fn the_normal_side_depends_on_the_kind_of_account() {
        assert_eq!(on_normal_side("asset", "-5"), "-5");
        assert_eq!(on_normal_side("expense", "5"), "5");
        assert_eq!(on_normal_side("liability", "5"), "-5");
        assert_eq!(on_normal_side("equity", "-5"), "5");
        assert_eq!(on_normal_side("income", "0"), "0");
    }
}
