//! Reading a journal: postings, one a line, as other bookkeeping programs write them.
//!
//! The whole file is read and checked before anything is imported, so that a file with a mistake in it changes
//! nothing.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Read;

use chrono::{Datelike, NaiveDate};
use recount_events::ledger::{AccountName, Asset};

use super::names::Names;

/// A journal that can be imported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) transactions: Vec<Transaction>,
    /// The most decimals that each commodity is written with.
    pub(crate) scales: BTreeMap<String, u8>,
    /// The lines whose amount is zero: there is nothing to post on them.
    pub(crate) zero_lines: Vec<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// As the file names it.
    pub(crate) name: String,
    pub(crate) line: u64,
    pub(crate) date: NaiveDate,
    pub(crate) description: String,
    pub(crate) postings: Vec<Posting>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) line: u64,
    pub(crate) account: String,
    pub(crate) amount: Decimal,
    pub(crate) commodity: String,
}

/// A decimal number as it is written: `-4.00` is -400 with two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    decimals: u8,
}

/// What cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct LineError {
    pub(crate) line: u64,
    pub(crate) reason: String,
}

#[derive(Debug, serde::Deserialize)]
struct Row {
    transaction: String,
    date: String,
    description: String,
    account: String,
    amount: String,
    commodity: String,
}

/// They become metadata, and have to fit into it however they are escaped.
const NOTES_BYTES_MAX: usize = 1_000;

const COLUMNS: [&str; 6] = ["transaction", "date", "description", "account", "amount", "commodity"];

impl Decimal {
    const DECIMALS_MAX: usize = Asset::SCALE_MAX as usize;

    fn parse(text: &str) -> Result<Decimal, String> {
        let unreadable = || format!("`{text}` is not a decimal number such as -12.34");
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || unsigned.ends_with('.') {
            return Err(unreadable());
        }
        if fraction.len() > Decimal::DECIMALS_MAX {
            return Err(format!("`{text}` has more than {} decimals", Decimal::DECIMALS_MAX));
        }
        let digits: i128 = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| format!("`{text}` is too large to be counted"))?;
        let decimals = u8::try_from(fraction.len()).expect("checked just above");
        Ok(Decimal { digits: if negative { -digits } else { digits }, decimals })
    }

    /// In minor units of this scale, if it has no more decimals than that and can be counted.
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

/// Reads the journal; everything that is wrong with it is named.
pub(super) fn read(input: impl Read, names: &Names) -> Result<Journal, Vec<LineError>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let mut journal = Journal { transactions: Vec::new(), scales: BTreeMap::new(), zero_lines: Vec::new() };
    let mut errors = check_header(&mut reader)?;
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let headers = reader.headers().cloned().unwrap_or_default();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                let row = record.deserialize::<Row>(Some(&headers)).map_err(|error| error.to_string());
                if let Err(reason) = row.and_then(|row| journal.take(row, line, names, &mut by_name)) {
                    errors.push(LineError { line, reason });
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                errors.push(LineError { line, reason: error.to_string() });
                if !matches!(
                    error.kind(),
                    csv::ErrorKind::UnequalLengths { .. } | csv::ErrorKind::Utf8 { .. }
                ) {
                    break;
                }
            }
        }
    }
    if errors.is_empty() {
        errors = journal.unbalanced();
    }
    if errors.is_empty() { Ok(journal) } else { Err(errors) }
}

fn check_header(reader: &mut csv::Reader<impl Read>) -> Result<Vec<LineError>, Vec<LineError>> {
    let refused = |reason: String| vec![LineError { line: 1, reason }];
    let headers = reader.headers().map_err(|error| refused(error.to_string()))?;
    let missing: Vec<&str> =
        COLUMNS.into_iter().filter(|column| !headers.iter().any(|header| header == *column)).collect();
    if missing.is_empty() {
        Ok(Vec::new())
    } else {
        Err(refused(format!("the header lacks {}; it needs {}", missing.join(", "), COLUMNS.join(", "))))
    }
}

/// A date with a year of four digits.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let has_form = text.len() == 10 && text.starts_with(|first: char| first.is_ascii_digit());
    text.parse().ok().filter(|date: &NaiveDate| has_form && date.year() >= 1)
}

impl Journal {
    fn take(
        &mut self,
        row: Row,
        line: u64,
        names: &Names,
        by_name: &mut HashMap<String, usize>,
    ) -> Result<(), String> {
        let date = parse_date(&row.date)
            .ok_or_else(|| format!("`{}` is not a date such as 2026-01-31", row.date))?;
        if row.description.len() + row.transaction.len() > NOTES_BYTES_MAX {
            return Err(format!(
                "the transaction's name and description take {NOTES_BYTES_MAX} bytes at most together"
            ));
        }
        let amount = Decimal::parse(&row.amount)?;
        if row.transaction.is_empty() || row.commodity.is_empty() {
            return Err("the transaction and the commodity must be given".to_owned());
        }
        row.account.parse::<AccountName>().map_err(|error| error.to_string())?;
        let commodity = names.code(&row.commodity);
        let asset = format!("{commodity}/{}", amount.decimals);
        asset
            .parse::<Asset>()
            .map_err(|error| format!("{error}; say a code with --asset '{commodity}=CODE'"))?;
        let index = *by_name.entry(row.transaction.clone()).or_insert(self.transactions.len());
        if index == self.transactions.len() {
            self.transactions.push(Transaction {
                name: row.transaction,
                line,
                date,
                description: row.description.clone(),
                postings: Vec::new(),
            });
        }
        let transaction = &mut self.transactions[index];
        if transaction.date != date || transaction.description != row.description {
            let (name, first) = (&transaction.name, transaction.line);
            return Err(format!("transaction {name} has another date or description on line {first}"));
        }
        let scale = self.scales.entry(commodity.clone()).or_default();
        *scale = (*scale).max(amount.decimals);
        if amount.digits == 0 {
            self.zero_lines.push(line);
        } else {
            let posting = Posting { line, account: row.account, amount, commodity };
            transaction.postings.push(posting);
        }
        Ok(())
    }

    fn unbalanced(&self) -> Vec<LineError> {
        self.transactions.iter().filter_map(|transaction| self.check(transaction).err()).collect()
    }

    fn check(&self, transaction: &Transaction) -> Result<(), LineError> {
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        for posting in &transaction.postings {
            let too_large = || LineError {
                line: posting.line,
                reason: "the amount is too large to be counted".to_owned(),
            };
            let scale = self.scales[&posting.commodity];
            let amount = posting.amount.minor_units(scale).ok_or_else(too_large)?;
            let sum = sums.entry(&posting.commodity).or_default();
            *sum = sum.checked_add(amount).ok_or_else(too_large)?;
        }
        match sums.into_iter().find(|(_, sum)| *sum != 0) {
            None => Ok(()),
            Some((commodity, sum)) => Err(LineError {
                line: transaction.line,
                reason: format!(
                    "transaction {} does not balance: its amounts in {commodity} add up to {} and not to zero",
                    transaction.name,
                    Decimal { digits: sum, decimals: self.scales[commodity] },
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "transaction,date,description,account,amount,commodity\n";

    fn errors(rows: &str) -> Vec<String> {
        let errors = read(format!("{HEADER}{rows}").as_bytes(), &Names::default()).expect_err("it was read");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn postings_of_one_transaction_are_gathered_and_scales_taken_from_the_file() {
        let rows = "1,2026-01-01,Rent,Assets:Bank,-4.00,USD\n1,2026-01-01,Rent,Expenses:Rent,4,USD\n";
        let journal = read(format!("{HEADER}{rows}").as_bytes(), &Names::default()).unwrap();
        assert_eq!(journal.scales["USD"], 2);
        let postings = &journal.transactions[0].postings;
        assert_eq!(postings[0].amount.minor_units(2), Some(-400));
        assert_eq!(postings[1].amount.minor_units(2), Some(400));
    }

    #[test]
    fn a_posting_of_nothing_is_left_out_and_named() {
        let rows = "1,2026-01-01,x,Assets:A,1,USD\n1,2026-01-01,x,Assets:B,-1,USD\n1,2026-01-01,x,Assets:C,0.00,USD\n";
        let journal = read(format!("{HEADER}{rows}").as_bytes(), &Names::default()).unwrap();
        assert_eq!(journal.zero_lines, [4]);
        assert_eq!(journal.transactions[0].postings.len(), 2);
    }

    #[test]
    fn every_line_that_cannot_be_read_is_named() {
        let rows = "1,yesterday,x,Assets:A,1,USD\n1,2026-01-01,x,Assets:A,1.2.3,USD\n1,2026-01-01,x,Assets::A,1,USD\n\
                    1,2026-01-01,x,Assets:A\n";
        let errors = errors(rows);
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(errors[0].starts_with("line 2: `yesterday`"), "{errors:?}");
        assert!(errors[1].starts_with("line 3: `1.2.3`"), "{errors:?}");
        assert!(errors[2].starts_with("line 4: "), "{errors:?}");
        assert!(errors[3].starts_with("line 5: "), "{errors:?}");
    }

    #[test]
    fn a_transaction_that_does_not_balance_is_named() {
        let errors = errors("7,2026-01-01,x,Assets:A,1.10,USD\n7,2026-01-01,x,Assets:B,-1,USD\n");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains("transaction 7") && errors[0].contains("0.10"), "{errors:?}");
    }

    #[test]
    fn a_date_has_a_year_of_four_digits() {
        for date in ["-9999-01-01", "+9999-01-01", "-9999-1-01", "0000-01-01", "2026-1-1"] {
            let errors = errors(&format!("1,{date},x,Assets:A,1,USD\n"));
            assert!(errors[0].contains("is not a date"), "{date}: {errors:?}");
        }
    }

    #[test]
    fn a_description_that_does_not_fit_into_metadata_is_refused() {
        let errors = errors(&format!("1,2026-01-01,{},Assets:A,1,USD\n", "x".repeat(1_000)));
        assert!(errors[0].contains("1000 bytes"), "{errors:?}");
    }

    #[test]
    fn a_header_without_the_columns_is_refused() {
        let errors = read("date,amount\n".as_bytes(), &Names::default()).expect_err("it was read");
        assert!(errors[0].reason.contains("commodity"), "{errors:?}");
    }
}
