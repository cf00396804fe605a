//! What the names in a journal mean: of which kind an account is, and which asset a commodity.

use std::collections::BTreeMap;

use recount_events::ledger::AccountKind;

/// The first parts of account names that say a kind, as plain-text accounting has them, whatever their case.
const KINDS: [(&str, AccountKind); 11] = [
    ("asset", AccountKind::Asset),
    ("assets", AccountKind::Asset),
    ("liability", AccountKind::Liability),
    ("liabilities", AccountKind::Liability),
    ("equity", AccountKind::Equity),
    ("income", AccountKind::Income),
    ("incomes", AccountKind::Income),
    ("revenue", AccountKind::Income),
    ("revenues", AccountKind::Income),
    ("expense", AccountKind::Expense),
    ("expenses", AccountKind::Expense),
];

/// What the user says about the journal's names.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    kinds: BTreeMap<String, AccountKind>,
    codes: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn new(kinds: Vec<(String, AccountKind)>, codes: Vec<(String, String)>) -> Names {
        Names { kinds: kinds.into_iter().collect(), codes: codes.into_iter().collect() }
    }

    /// The kind that was said for the account or the nearest account above it, or else the one that its first part says.
    pub(super) fn kind(&self, account: &str) -> Option<AccountKind> {
        let mut above = Some(account);
        while let Some(name) = above {
            if let Some(kind) = self.kinds.get(name) {
                return Some(*kind);
            }
            above = name.rsplit_once(':').map(|(parent, _)| parent);
        }
        let first = account.split(':').next().unwrap_or_default();
        KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(first)).map(|(_, kind)| *kind)
    }

    /// The code of the asset as which the commodity is counted.
    pub(super) fn code(&self, commodity: &str) -> String {
        self.codes.get(commodity).cloned().unwrap_or_else(|| commodity.to_owned())
    }
}

/// `ACCOUNT=KIND`, as in `Bank=asset`.
pub(super) fn parse_kind(text: &str) -> Result<(String, AccountKind), String> {
    let (account, kind) = pair(text)?;
    let known = [
        AccountKind::Asset,
        AccountKind::Liability,
        AccountKind::Equity,
        AccountKind::Income,
        AccountKind::Expense,
    ];
    let found = known.into_iter().find(|known| known.as_str() == kind);
    let kind = found.ok_or_else(|| {
        format!("`{kind}` is not a kind of account: asset, liability, equity, income or expense")
    })?;
    Ok((account, kind))
}

/// `COMMODITY=CODE`, as in `$=USD`.
pub(super) fn parse_code(text: &str) -> Result<(String, String), String> {
    pair(text)
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("it is a name, `=`, and what the name means".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_says_the_kind_whatever_its_case() {
        let names = Names::default();
        assert_eq!(names.kind("Assets:Bank"), Some(AccountKind::Asset));
        assert_eq!(names.kind("assets"), Some(AccountKind::Asset));
        assert_eq!(names.kind("REVENUES:Sales"), Some(AccountKind::Income));
        assert_eq!(names.kind("Bank:Assets"), None);
        assert_eq!(names.kind("Assetsandmore"), None);
    }

    #[test]
    fn the_nearest_that_was_said_counts() {
        let said = ["Bank=asset", "Bank:Loan=liability", "Assets=equity"];
        let names = Names::new(said.map(|text| parse_kind(text).unwrap()).to_vec(), Vec::new());
        assert_eq!(names.kind("Bank"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Bank:Giro"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Bank:Loan:House"), Some(AccountKind::Liability));
        assert_eq!(names.kind("Bank:Loans"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Assets:Cash"), Some(AccountKind::Equity));
    }

    #[test]
    fn a_commodity_is_counted_under_the_code_that_was_said() {
        let names = Names::new(Vec::new(), vec![parse_code("$=USD").unwrap()]);
        assert_eq!(names.code("$"), "USD");
        assert_eq!(names.code("EUR"), "EUR");
    }

    #[test]
    fn what_is_not_a_pair_is_refused() {
        for text in ["Bank", "=asset", "Bank=", "Bank=money"] {
            assert!(parse_kind(text).is_err(), "{text}");
        }
    }
}
