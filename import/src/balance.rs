//! Checks that transactions balance, and completes exchanges of commodities.

use std::collections::BTreeMap;

use recount_domain::ENTRIES_MAX;
use recount_events::ledger::AccountName;

use crate::decimal::Decimal;
use crate::journal::{Journal, LineError, Posting, Transaction};

/// Posts the other side of exchanges to the conversion account, and returns the transactions that do not balance.
pub(crate) fn check(journal: &mut Journal, conversion_account: Option<&AccountName>) -> Vec<LineError> {
    let Journal { transactions, scales, exchanges, .. } = journal;
    let mut checked = |transaction: &mut Transaction| {
        let rest = rest(transaction, scales)?;
        match conversion_account {
            Some(account) if is_exchange(&rest) => {
                convert(transaction, rest, account);
                *exchanges += 1;
            }
            _ => balanced(transaction, &rest)?,
        }
        within_limits(transaction)
    };
    transactions.iter_mut().filter_map(|transaction| checked(transaction).err()).collect()
}

/// The sum of the amounts in each commodity, without those that add up to zero.
fn rest(
    transaction: &Transaction,
    scales: &BTreeMap<String, u8>,
) -> Result<BTreeMap<String, Decimal>, LineError> {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for posting in &transaction.postings {
        let too_large = || LineError { line: posting.line, reason: "the amount is too large".to_owned() };
        let amount = posting.amount.minor_units(scales[&posting.commodity]).ok_or_else(too_large)?;
        let sum = sums.entry(&posting.commodity).or_default();
        *sum = sum.checked_add(amount).ok_or_else(too_large)?;
    }
    let rest = sums.into_iter().filter(|(_, sum)| *sum != 0);
    Ok(rest.map(|(commodity, sum)| (commodity.to_owned(), Decimal::new(sum, scales[commodity]))).collect())
}

/// Whether one commodity was exchanged for another: the amounts leave more of one and less of another.
fn is_exchange(rest: &BTreeMap<String, Decimal>) -> bool {
    rest.values().any(|sum| sum.is_negative()) && rest.values().any(|sum| !sum.is_negative())
}

fn convert(transaction: &mut Transaction, rest: BTreeMap<String, Decimal>, account: &AccountName) {
    let line = transaction.line;
    transaction.postings.extend(rest.into_iter().map(|(commodity, sum)| Posting {
        line,
        account: account.to_string(),
        amount: sum.negated(),
        commodity,
    }));
}

fn balanced(transaction: &Transaction, rest: &BTreeMap<String, Decimal>) -> Result<(), LineError> {
    if rest.is_empty() {
        return Ok(());
    }
    let name = &transaction.name;
    let sums: Vec<String> = rest.iter().map(|(commodity, sum)| format!("{sum} {commodity}")).collect();
    let sums = sums.join(", ");
    let reason = if is_exchange(rest) {
        format!(
            "transaction {name} exchanges commodities: its amounts add up to {sums}, but must add up to zero in each; \
             specify the account for the other side of an exchange with --conversion-account"
        )
    } else {
        format!("transaction {name} does not balance: its amounts add up to {sums}, not to zero")
    };
    Err(LineError { line: transaction.line, reason })
}

fn within_limits(transaction: &Transaction) -> Result<(), LineError> {
    let (name, count) = (&transaction.name, transaction.postings.len());
    if count <= ENTRIES_MAX {
        return Ok(());
    }
    let reason = format!("transaction {name} has {count} postings; the maximum is {ENTRIES_MAX}");
    Err(LineError { line: transaction.line, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal with one transaction of these amounts on line 2, checked.
    fn checked(amounts: &[(&str, &str)], account: Option<&str>) -> Result<Journal, String> {
        let mut journal = Journal::default();
        let posting = |(amount, commodity): &(&str, &str)| Posting {
            line: 2,
            account: "Assets:A".to_owned(),
            amount: Decimal::parse(amount, None).unwrap(),
            commodity: (*commodity).to_owned(),
        };
        let postings: Vec<Posting> = amounts.iter().map(posting).collect();
        for posting in &postings {
            journal.scales.insert(posting.commodity.clone(), 2);
        }
        let date = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let (name, description) = ("7".to_owned(), String::new());
        journal.transactions.push(Transaction { name, line: 2, date, description, postings });
        let account = account.map(|account| account.parse::<AccountName>().unwrap());
        match check(&mut journal, account.as_ref()).first() {
            None => Ok(journal),
            Some(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_transaction_that_does_not_balance_is_reported_with_the_difference() {
        for account in [None, Some("Equity:Conversion")] {
            let refused = checked(&[("1.10", "USD"), ("-1", "USD")], account).unwrap_err();
            assert_eq!(
                refused,
                "line 2: transaction 7 does not balance: its amounts add up to 0.10 USD, not to zero"
            );
            let refused = checked(&[("1", "USD"), ("2", "EUR")], account).unwrap_err();
            assert!(refused.contains("2.00 EUR, 1.00 USD, not to zero"), "{refused}");
        }
    }

    #[test]
    fn an_exchange_needs_a_conversion_account() {
        let amounts = [("10", "VTI"), ("-2500.5", "USD"), ("1", "EUR"), ("-1", "EUR")];
        let refused = checked(&amounts, None).unwrap_err();
        assert!(refused.starts_with("line 2: transaction 7 exchanges commodities"), "{refused}");
        assert!(
            refused.contains("-2500.50 USD, 10.00 VTI") && refused.contains("--conversion-account"),
            "{refused}"
        );

        let journal = checked(&amounts, Some("Equity:Conversion")).unwrap();
        let postings = &journal.transactions[0].postings;
        let shown =
            |posting: &Posting| format!("{} {} {}", posting.account, posting.amount, posting.commodity);
        let added: Vec<String> = postings[amounts.len()..].iter().map(shown).collect();
        assert_eq!(added, ["Equity:Conversion 2500.50 USD", "Equity:Conversion -10.00 VTI"]);
        assert_eq!(journal.exchanges, 1);
    }

    #[test]
    fn a_balanced_transaction_is_unchanged() {
        let journal = checked(&[("1", "USD"), ("-1", "USD")], Some("Equity:Conversion")).unwrap();
        assert_eq!((journal.transactions[0].postings.len(), journal.exchanges), (2, 0));
    }

    #[test]
    fn a_transaction_with_too_many_postings_is_refused() {
        let amounts: Vec<_> = [("1", "USD"), ("-1", "USD")].repeat(ENTRIES_MAX / 2);
        assert!(checked(&amounts, None).is_ok());
        let more = [amounts.as_slice(), &[("1", "USD"), ("-1", "USD")]].concat();
        let refused = checked(&more, None).unwrap_err();
        assert!(refused.contains("1002 postings; the maximum is 1000"), "{refused}");
    }

    #[test]
    fn an_amount_that_overflows_is_refused() {
        let most = i128::MAX.to_string();
        assert!(checked(&[(&most, "USD"), ("-1", "USD")], None).unwrap_err().contains("too large"));
        let half = (i128::MAX / 100).to_string();
        assert!(checked(&[(&half, "USD"), (&half, "USD")], None).unwrap_err().contains("too large"));
    }
}
