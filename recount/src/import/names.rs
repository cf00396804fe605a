//! What the names in a journal mean: which account an account is and of which kind, and which asset a commodity.

use std::collections::BTreeMap;

use recount_events::ledger::{AccountKind, AccountName, Asset};

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
    accounts: BTreeMap<String, String>,
    kinds: BTreeMap<String, AccountKind>,
    codes: BTreeMap<String, Code>,
}

/// As what a commodity is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) code: String,
    /// The decimals that it has at least, also if the file writes fewer.
    pub(super) scale: u8,
}

/// What the code of an asset is made of.
pub(super) const CODE_RULE: &str = "a letter and up to 30 letters, digits, `_`, `-` and `.`";

impl Names {
    pub(super) fn new(
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

    /// The account as which this one is kept: one name was said for it or for the nearest account above it, or it keeps
    /// its own.
    pub(super) fn account(&self, account: &str) -> String {
        let found = self_and_above(account).find_map(|name| self.accounts.get_key_value(name));
        match found {
            Some((name, instead)) => format!("{instead}{}", &account[name.len()..]),
            None => account.to_owned(),
        }
    }

    /// The kind that was said for the account or the nearest account above it, or else the one that its first part says.
    pub(super) fn kind(&self, account: &str) -> Option<AccountKind> {
        let said = self_and_above(account).find_map(|name| self.kinds.get(name));
        said.copied().or_else(|| {
            let first = first_part(account);
            KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(first)).map(|(_, kind)| *kind)
        })
    }

    /// As what the commodity is counted; without a word about it, under its own name, which need not be a code.
    pub(super) fn code(&self, commodity: &str) -> Code {
        let said = self.codes.get(commodity).cloned();
        said.unwrap_or_else(|| Code { code: commodity.to_owned(), scale: 0 })
    }
}

pub(super) fn first_part(account: &str) -> &str {
    account.split(':').next().unwrap_or_default()
}

fn self_and_above(account: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(account), |name| name.rsplit_once(':').map(|(above, _)| above))
}

pub(super) fn is_code(code: &str) -> bool {
    parse_asset(code).is_some_and(|asset| asset.code == code)
}

/// `CODE` or `CODE/SCALE`.
fn parse_asset(text: &str) -> Option<Code> {
    let asset = if text.contains('/') { text.parse::<Asset>() } else { format!("{text}/0").parse() };
    asset.ok().map(|asset| Code { code: asset.code().to_owned(), scale: asset.scale() })
}

/// `NAME=ACCOUNT`, as in `Assets:$=Assets:Cash`.
pub(super) fn parse_account(text: &str) -> Result<(String, String), String> {
    let (name, account) = pair(text)?;
    account.parse::<AccountName>().map_err(|error| error.to_string())?;
    Ok((name, account))
}

/// `ACCOUNT=KIND`, as in `Bank=asset`.
pub(super) fn parse_kind(text: &str) -> Result<(String, AccountKind), String> {
    let (account, kind) = pair(text)?;
    let kind = AccountKind::named(&kind).ok_or_else(|| {
        format!("`{kind}` is not a kind of account: asset, liability, equity, income or expense")
    })?;
    Ok((account, kind))
}

/// `COMMODITY=CODE`, as in `$=USD`; `=POINTS` is for amounts without a commodity, and `$=USD/2` has decimals that the
/// file may not need yet.
pub(super) fn parse_code(text: &str) -> Result<(String, Code), String> {
    let pair = text.rsplit_once('=');
    let said = pair.and_then(|(commodity, code)| Some((commodity.to_owned(), parse_asset(code)?)));
    said.ok_or_else(|| {
        format!(
            "it is a commodity, `=`, and its code, as in $=USD or $=USD/2: {CODE_RULE}, and up to 18 decimals"
        )
    })
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
        let kinds = said.map(|text| parse_kind(text).unwrap()).to_vec();
        let names = Names::new(Vec::new(), kinds, Vec::new());
        assert_eq!(names.kind("Bank"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Bank:Giro"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Bank:Loan:House"), Some(AccountKind::Liability));
        assert_eq!(names.kind("Bank:Loans"), Some(AccountKind::Asset));
        assert_eq!(names.kind("Assets:Cash"), Some(AccountKind::Equity));
    }

    #[test]
    fn a_commodity_is_counted_under_the_code_that_was_said() {
        let said = ["$=USD", "=POINTS", "a=b=AB", "EUR=EUR/2"];
        let codes = said.map(|text| parse_code(text).unwrap()).to_vec();
        let names = Names::new(Vec::new(), Vec::new(), codes);
        for (commodity, code, scale) in
            [("$", "USD", 0), ("", "POINTS", 0), ("a=b", "AB", 0), ("EUR", "EUR", 2), ("£", "£", 0)]
        {
            assert_eq!(names.code(commodity), Code { code: code.to_owned(), scale });
        }
    }

    #[test]
    fn an_account_and_all_below_it_are_kept_under_the_name_that_was_said() {
        let said = ["Assets:$=Assets:Cash", "Assets:$:Till=Till", "Fun & more!=Expenses:Fun", "a=b=c"];
        let accounts = said.map(|text| parse_account(text).unwrap()).to_vec();
        let names = Names::new(accounts, Vec::new(), Vec::new());
        for (account, kept_as) in [
            ("Assets:$", "Assets:Cash"),
            ("Assets:$:Purse:Red", "Assets:Cash:Purse:Red"),
            ("Assets:$:Till:1", "Till:1"),
            ("Assets:$$", "Assets:$$"),
            ("Assets", "Assets"),
            ("Fun & more!", "Expenses:Fun"),
            ("a=b", "c"),
        ] {
            assert_eq!(names.account(account), kept_as);
        }
        for bad in ["Assets", "Assets:$=", "Assets=Assets:$", "=Assets"] {
            assert!(parse_account(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_a_code_is_refused() {
        for bad in ["", "$", "$=", "$=U$", "$=USD/", "$=USD/19", "$=USD/2/2", "$=2USD", "=", "=/2"] {
            assert!(parse_code(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_a_pair_is_refused() {
        for text in ["Bank", "=asset", "Bank=", "Bank=money"] {
            assert!(parse_kind(text).is_err(), "{text}");
        }
    }
}
