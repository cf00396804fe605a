//! The form of a file: what its columns are called, and how its numbers and dates are written.

use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use clap::Args;

use super::decimal::Decimal;

/// What the user says about the form of the file.
#[derive(Clone, Debug, Args)]
pub(crate) struct Form {
    /// Under which name the file has a column, as in transaction=txnidx. Columns that are not needed may be there, and
    /// the case of their names makes no difference
    #[arg(long = "column", value_name = "COLUMN=NAME", value_parser = parse_column)]
    columns: Vec<(String, String)>,
    /// What separates the fields of a row
    #[arg(long, default_value = ",", value_parser = parse_separator)]
    separator: u8,
    /// What the decimals of an amount follow: a point or a comma. Once it is said, there may be marks between groups of
    /// digits, as in 1,234.50
    #[arg(long, value_name = "MARK", value_parser = parse_decimal_mark)]
    decimal_mark: Option<char>,
    /// How dates are written, as in %d.%m.%Y [default: as in 2026-01-31]
    #[arg(long, value_name = "FORMAT", value_parser = parse_date_format)]
    date_format: Option<String>,
}

/// The columns that are read, in the order of the fields of [`Row`].
const COLUMNS: [&str; 6] = ["transaction", "date", "description", "account", "amount", "commodity"];

/// Where the columns are in a record.
#[derive(Debug)]
pub(super) struct Columns([usize; 6]);

/// The fields of one posting, as the file has them.
#[derive(Debug)]
pub(super) struct Row<'r> {
    pub(super) transaction: &'r str,
    pub(super) date: &'r str,
    pub(super) description: &'r str,
    pub(super) account: &'r str,
    pub(super) amount: &'r str,
    pub(super) commodity: &'r str,
}

impl Form {
    pub(super) fn reader<'b>(&self, bytes: &'b [u8]) -> csv::Reader<&'b [u8]> {
        csv::ReaderBuilder::new().trim(csv::Trim::All).delimiter(self.separator).from_reader(bytes)
    }

    /// Finds the columns in the file's header.
    pub(super) fn columns(&self, header: &csv::StringRecord) -> Result<Columns, String> {
        let mut indices = [0; COLUMNS.len()];
        let mut missing = Vec::new();
        for (index, column) in indices.iter_mut().zip(COLUMNS) {
            let name = self.name(column);
            let mut found = header.iter().enumerate().filter(|(_, field)| is_same(field, name));
            match (found.next(), found.next()) {
                (Some((at, _)), None) => *index = at,
                (Some(_), Some(_)) => return Err(format!("the header has {name} twice")),
                (None, _) => missing.push(name),
            }
        }
        if missing.is_empty() {
            return Ok(Columns(indices));
        }
        let has: Vec<&str> = header.iter().collect();
        Err(format!(
            "the header lacks {}; it has {}. Say with --column COLUMN=NAME what the file calls a column, and with \
             --separator what its fields are separated by if it is not a comma",
            missing.join(", "),
            if has.is_empty() { "nothing".to_owned() } else { has.join(", ") },
        ))
    }

    fn name<'a>(&'a self, column: &'a str) -> &'a str {
        self.columns.iter().rfind(|(said, _)| said == column).map_or(column, |(_, name)| name)
    }

    pub(super) fn amount(&self, text: &str) -> Result<Decimal, String> {
        Decimal::parse(text, self.decimal_mark)
    }

    /// A date with a year of four digits.
    pub(super) fn date(&self, text: &str) -> Result<NaiveDate, String> {
        let (date, wanted) = match &self.date_format {
            Some(format) => {
                (NaiveDate::parse_from_str(text, format).ok(), format!("is not a date of the form {format}"))
            }
            None => (
                iso_date(text),
                "is not a date such as 2026-01-31; say with --date-format how dates are written".to_owned(),
            ),
        };
        date.filter(|date| (1..=9999).contains(&date.year())).ok_or_else(|| format!("`{text}` {wanted}"))
    }
}

#[cfg(test)]
impl Default for Form {
    fn default() -> Form {
        Form { columns: Vec::new(), separator: b',', decimal_mark: None, date_format: None }
    }
}

impl Columns {
    pub(super) fn row<'r>(&self, record: &'r csv::StringRecord) -> Row<'r> {
        let [transaction, date, description, account, amount, commodity] =
            self.0.map(|index| record.get(index).unwrap_or_default());
        Row { transaction, date, description, account, amount, commodity }
    }
}

fn is_same(field: &str, name: &str) -> bool {
    field.to_lowercase() == name.to_lowercase()
}

fn iso_date(text: &str) -> Option<NaiveDate> {
    let has_form = text.len() == 10 && text.starts_with(|first: char| first.is_ascii_digit());
    text.parse().ok().filter(|_| has_form)
}

fn parse_column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, name)) if COLUMNS.contains(&column) && !name.is_empty() => {
            Ok((column.to_owned(), name.to_owned()))
        }
        _ => Err(format!("it is one of {}, then `=` and the name in the file", COLUMNS.join(", "))),
    }
}

fn parse_separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("it is one character, such as `,` or `;`, or `\\t` for a tab".to_owned()),
    }
}

fn parse_decimal_mark(text: &str) -> Result<char, String> {
    match text {
        "." => Ok('.'),
        "," => Ok(','),
        _ => Err("it is `.` or `,`".to_owned()),
    }
}

fn parse_date_format(text: &str) -> Result<String, String> {
    let example = NaiveDate::from_ymd_opt(2026, 1, 31).ok_or("there is no such day")?;
    let mut written = String::new();
    // A format of times cannot be written of a day, and one without a year is not read again.
    let is_written = write!(written, "{}", example.format(text)).is_ok();
    if is_written && NaiveDate::parse_from_str(&written, text) == Ok(example) {
        Ok(text.to_owned())
    } else {
        Err("it holds the year, the month and the day, as in %d.%m.%Y or %m/%d/%Y".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(form: &Form, header: &str) -> Result<Columns, String> {
        form.columns(&header.split(',').collect())
    }

    #[test]
    fn columns_are_found_wherever_they_are_and_whatever_their_case() {
        let header = "Commodity,amount,more,ACCOUNT,date,transaction,description";
        let columns = columns(&Form::default(), header).unwrap();
        assert_eq!(columns.0, [5, 4, 6, 3, 1, 0]);
    }

    #[test]
    fn a_column_may_have_another_name() {
        let said = vec![parse_column("transaction=txnidx").unwrap(), parse_column("amount=a=b").unwrap()];
        let form = Form { columns: said, ..Form::default() };
        let found = columns(&form, "txnidx,date,description,account,a=b,commodity").unwrap();
        assert_eq!(found.0, [0, 1, 2, 3, 4, 5]);
        for bad in ["transaction", "transaction=", "=txnidx", "code=number"] {
            assert!(parse_column(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_without_a_column_is_refused_with_what_it_has_and_what_to_say() {
        let refused =
            columns(&Form::default(), "txnidx,date,description,account,amount,commodity").unwrap_err();
        assert!(refused.starts_with("the header lacks transaction; it has txnidx, date,"), "{refused}");
        assert!(refused.contains("--column"), "{refused}");
        let refused = columns(&Form::default(), "transaction;date").unwrap_err();
        assert!(refused.contains("--separator"), "{refused}");
        let twice = "transaction,date,description,account,amount,commodity,Date";
        assert_eq!(columns(&Form::default(), twice).unwrap_err(), "the header has date twice");
    }

    #[test]
    fn a_date_has_a_year_of_four_digits() {
        let form = Form::default();
        assert_eq!(form.date("2026-01-31"), Ok(NaiveDate::from_ymd_opt(2026, 1, 31).unwrap()));
        for date in ["-9999-01-01", "+9999-01-01", "-9999-1-01", "0000-01-01", "2026-1-1", "31.01.2026", ""] {
            let refused = form.date(date).unwrap_err();
            assert!(
                refused.contains("is not a date") && refused.contains("--date-format"),
                "{date}: {refused}"
            );
        }
    }

    #[test]
    fn dates_may_be_written_otherwise() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        for (format, text) in
            [("%d.%m.%Y", "31.01.2026"), ("%m/%d/%Y", "1/31/2026"), ("%Y/%m/%d", "2026/01/31")]
        {
            let form = Form { date_format: Some(parse_date_format(format).unwrap()), ..Form::default() };
            assert_eq!(form.date(text), Ok(day));
            for bad in ["2026-01-31", "", "0/0/0", "+10000/01/01", "31.01.0000"] {
                assert!(form.date(bad).unwrap_err().contains(format), "{format}: {bad}");
            }
        }
        for bad in ["", "%d.%m.", "%H:%M", "%Q", "dd.mm.yyyy"] {
            assert!(parse_date_format(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_separator_is_one_character_and_a_decimal_mark_one_of_two() {
        assert_eq!(parse_separator(";"), Ok(b';'));
        assert_eq!(parse_separator("\\t"), Ok(b'\t'));
        assert_eq!(parse_separator("\t"), Ok(b'\t'));
        for bad in ["", ";;", "a", "\"", "€"] {
            assert!(parse_separator(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_decimal_mark(","), Ok(','));
        assert!(parse_decimal_mark("'").is_err());
    }
}
