//! The names in a journal: the account, kind and asset that each one stands for.

use std::collections::BTreeMap;

use recount_events::ledger::{AccountKind, AccountName, Asset};

/// The first parts of account names that determine the kind, as in plain-text accounting, in any case.
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

/// The options for the names in the journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    accounts: BTreeMap<String, String>,
    kinds: BTreeMap<String, AccountKind>,
    codes: BTreeMap<String, Code>,
}

/// The asset code of a commodity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) code: String,
    /// The minimum number of decimals, if the file has fewer.
    pub(crate) scale: u8,
}

/// The rule for asset codes.
pub(crate) const CODE_RULE: &str = "a letter and up to 30 letters, digits, `_`, `-` and `.`";

impl Names {
    pub(crate) fn new(
        accounts: Vec<(String, String)>,
        kinds: Vec<(String, AccountKind)>,
        codes: Vec<(String, Code)>,
    ) -> Names {
        Names {
            accounts: accounts.into_iter().collect(),
            kinds: kinds.into_iter().collect(),
            codes: codes.into_iter().collect(),
        }
    }

    /// The name of the account in the ledger: the one specified for it or for the nearest account above it, or else its
    /// own.
    pub(crate) fn account(&self, account: &str) -> String {
        let found = self_and_above(account).find_map(|name| self.accounts.get_key_value(name));
        match found {
            Some((name, replacement)) => format!("{replacement}{}", &account[name.len()..]),
            None => account.to_owned(),
        }
    }

    /// The kind specified for the account or for the nearest account above it, or else the kind of its first part.
    pub(crate) fn kind(&self, account: &str) -> Option<AccountKind> {
        let specified = self_and_above(account).find_map(|name| self.kinds.get(name));
        specified.copied().or_else(|| {
            let first = first_part(account);
            KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(first)).map(|(_, kind)| *kind)
        })
    }

    /// The code specified for the commodity, or else its own name, which may not be a valid code.
    pub(crate) fn code(&self, commodity: &str) -> Code {
        let specified = self.codes.get(commodity).cloned();
        specified.unwrap_or_else(|| Code { code: commodity.to_owned(), scale: 0 })
    }
}

pub(crate) fn first_part(account: &str) -> &str {
    account.split(':').next().unwrap_or_default()
}

fn self_and_above(account: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(account), |name| name.rsplit_once(':').map(|(above, _)| above))
}

pub(crate) fn is_code(code: &str) -> bool {
    parse_asset(code).is_some_and(|asset| asset.code == code)
}

/// `CODE` or `CODE/SCALE`.
fn parse_asset(text: &str) -> Option<Code> {
    let asset = if text.contains('/') { text.parse::<Asset>() } else { format!("{text}/0").parse() };
    asset.ok().map(|asset| Code { code: asset.code().to_owned(), scale: asset.scale() })
}

/// `NAME=ACCOUNT`, as in `Assets:$=Assets:Cash`.
pub(crate) fn parse_account(text: &str) -> Result<(String, String), String> {
    let (name, account) = pair(text)?;
    account.parse::<AccountName>().map_err(|error| error.to_string())?;
    Ok((name, account))
}

/// `ACCOUNT=KIND`, as in `Bank=asset`.
pub(crate) fn parse_kind(text: &str) -> Result<(String, AccountKind), String> {
    let (account, kind) = pair(text)?;
    let kind = AccountKind::named(&kind).ok_or_else(|| {
        format!("`{kind}` is not an account kind: asset, liability, equity, income or expense")
    })?;
    Ok((account, kind))
}

/// `COMMODITY=CODE`, as in `$=USD`; `=POINTS` is for amounts without a commodity, and `$=USD/2` sets the minimum number of
/// decimals.
pub(crate) fn parse_code(text: &str) -> Result<(String, Code), String> {
    let pair = text.rsplit_once('=');
    let parsed = pair.and_then(|(commodity, code)| Some((commodity.to_owned(), parse_asset(code)?)));
    parsed.ok_or_else(|| {
        format!(
            "expected a commodity, `=`, and its code, as in $=USD or $=USD/2: {CODE_RULE}, and up to 18 decimals"
        )
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("expected a name, `=`, and its meaning".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_determines_the_kind_in_any_case() {
        let names = Names::default();
        assert_eq!(names.kind("Assets:Bank"), Some(AccountKind::Asset));
        assert_eq!(names.kind("assets"), Some(AccountKind::Asset));
        assert_eq!(names.kind("REVENUES:Sales"), Some(AccountKind::Income));
        assert_eq!(names.kind("Bank:Assets"), None);
        assert_eq!(names.kind("Assetsandmore"), None);
    }

    #[test]
    fn the_kind_specified_for_the_nearest_account_applies() {
        let options = ["Bank=asset", "Bank:Loan=liability", "Assets=equity"];
        let kinds = options.map(|text| parse_kind(text).unwrap()).to_vec();
        let names = Names::new(Vec::new(), kinds, Vec::new());
        assert_eq!(names.kind("Bank"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Bank:Giro"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Bank:Loan:House"), Some(AccountKind::Liability));
        assert_eq!(names.kind("Bank:Loans"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Assets:Cash"), Some(AccountKind::Equity));
    }

    #[test]
    fn a_commodity_gets_the_specified_code() {
        let options = ["$=USD", "=POINTS", "a=b=AB", "EUR=EUR/2"];
        let codes = options.map(|text| parse_code(text).unwrap()).to_vec();
        let names = Names::new(Vec::new(), Vec::new(), codes);
        for (commodity, code, scale) in
            [("$", "USD", 0), ("", "POINTS", 0), ("a=b", "AB", 0), ("EUR", "EUR", 2), ("£", "£", 0)]
        {
            assert_eq!(names.code(commodity), Code { code: code.to_owned(), scale });
        }
    }

    #[test]
    fn an_account_and_all_accounts_below_it_get_the_specified_name() {
        let options = ["Assets:$=Assets:Cash", "Assets:$:Till=Till", "Fun & more!=Expenses:Fun", "a=b=c"];
        let accounts = options.map(|text| parse_account(text).unwrap()).to_vec();
        let names = Names::new(accounts, Vec::new(), Vec::new());
        for (account, name) in [
            ("Assets:$", "Assets:Cash"),
            ("Assets:$:Purse:Red", "Assets:Cash:Purse:Red"),
            ("Assets:$:Till:1", "Till:1"),
            ("Assets:$$", "Assets:$$"),
            ("Assets", "Assets"),
            ("Fun & more!", "Expenses:Fun"),
            ("a=b", "c"),
        ] {
            assert_eq!(names.account(account), name);
        }
        for bad in ["Assets", "Assets:$=", "Assets=Assets:$", "=Assets"] {
            assert!(parse_account(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_invalid_code_is_refused() {
        for bad in ["", "$", "$=", "$=U$", "$=USD/", "$=USD/19", "$=USD/2/2", "$=2USD", "=", "=/2"] {
            assert!(parse_code(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_malformed_pair_is_refused() {
        for text in ["Bank", "=asset", "Bank=", "Bank=money"] {
            assert!(parse_kind(text).is_err(), "{text}");
        }
    }
}
