//! The format of a file: the names of its columns, and how it writes numbers and dates.

use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use clap::Args;

use crate::decimal::Decimal;

/// The options for the format of the file.
#[derive(Clone, Debug, Args)]
pub(crate) struct Format {
    /// The name of a column in the file, for example transaction=txnidx. Other columns are ignored, and case does not
    /// matter
    #[arg(long = "column", value_name = "COLUMN=NAME", value_parser = parse_column)]
    columns: Vec<(String, String)>,
    /// The separator of the fields in a row
    #[arg(long, default_value = ",", value_parser = parse_separator)]
    separator: u8,
    /// The decimal mark of amounts: a point or a comma. If it is specified, digits may be grouped, as in 1,234.50
    #[arg(long, value_name = "MARK", value_parser = parse_decimal_mark)]
    decimal_mark: Option<char>,
    /// The format of dates, for example %d.%m.%Y [default: as in 2026-01-31]
    #[arg(long, value_name = "FORMAT", value_parser = parse_date_format)]
    date_format: Option<String>,
}

/// The columns, in the order of the fields of [`Row`].
const COLUMNS: [&str; 6] = ["transaction", "date", "description", "account", "amount", "commodity"];

/// The indices of the columns in a record.
#[derive(Debug)]
pub(crate) struct Columns([usize; 6]);

/// The fields of one posting as they are in the file.
#[derive(Debug)]
pub(crate) struct Row<'r> {
    pub(crate) transaction: &'r str,
    pub(crate) date: &'r str,
    pub(crate) description: &'r str,
    pub(crate) account: &'r str,
    pub(crate) amount: &'r str,
    pub(crate) commodity: &'r str,
}

impl Format {
    pub(crate) fn reader<'b>(&self, bytes: &'b [u8]) -> csv::Reader<&'b [u8]> {
        csv::ReaderBuilder::new().trim(csv::Trim::All).delimiter(self.separator).from_reader(bytes)
    }

    /// Finds the columns in the file's header.
    pub(crate) fn columns(&self, header: &csv::StringRecord) -> Result<Columns, String> {
        let mut indices = [0; COLUMNS.len()];
        let mut missing = Vec::new();
        for (index, column) in indices.iter_mut().zip(COLUMNS) {
            let name = self.name(column);
            let mut found = header.iter().enumerate().filter(|(_, field)| is_same(field, name));
            match (found.next(), found.next()) {
                (Some((at, _)), None) => *index = at,
                (Some(_), Some(_)) => return Err(format!("the header contains {name} twice")),
                (None, _) => missing.push(name),
            }
        }
        if missing.is_empty() {
            return Ok(Columns(indices));
        }
        let has: Vec<&str> = header.iter().collect();
        Err(format!(
            "the header lacks {}; it {}. Specify another name of a column with --column COLUMN=NAME, and another \
             separator than a comma with --separator",
            missing.join(", "),
            if has.is_empty() { "is empty".to_owned() } else { format!("has {}", has.join(", ")) },
        ))
    }

    fn name<'a>(&'a self, column: &'a str) -> &'a str {
        self.columns.iter().rfind(|(renamed, _)| renamed == column).map_or(column, |(_, name)| name)
    }

    pub(crate) fn amount(&self, text: &str) -> Result<Decimal, String> {
        Decimal::parse(text, self.decimal_mark)
    }

    /// A date with a year of four digits.
    pub(crate) fn date(&self, text: &str) -> Result<NaiveDate, String> {
        let (date, wanted) = match &self.date_format {
            Some(format) => (
                NaiveDate::parse_from_str(text, format).ok(),
                format!("is not a date of the format {format}"),
            ),
            None => (
                iso_date(text),
                "is not a date such as 2026-01-31; specify another format with --date-format".to_owned(),
            ),
        };
        date.filter(|date| (1..=9999).contains(&date.year())).ok_or_else(|| format!("`{text}` {wanted}"))
    }
}

#[cfg(test)]
impl Default for Format {
    fn default() -> Format {
        Format { columns: Vec::new(), separator: b',', decimal_mark: None, date_format: None }
    }
}

impl Columns {
    pub(crate) fn row<'r>(&self, record: &'r csv::StringRecord) -> Row<'r> {
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
        _ => Err(format!("expected one of {}, then `=` and the name in the file", COLUMNS.join(", "))),
    }
}

fn parse_separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("expected one character, such as `,` or `;`, or `\\t` for a tab".to_owned()),
    }
}

fn parse_decimal_mark(text: &str) -> Result<char, String> {
    match text {
        "." => Ok('.'),
        "," => Ok(','),
        _ => Err("expected `.` or `,`".to_owned()),
    }
}

fn parse_date_format(text: &str) -> Result<String, String> {
    let example = NaiveDate::from_ymd_opt(2026, 1, 31).ok_or("there is no such day")?;
    let mut written = String::new();
    // A time cannot be written from a date, and a date without a year cannot be parsed again.
    let is_written = write!(written, "{}", example.format(text)).is_ok();
    if is_written && NaiveDate::parse_from_str(&written, text) == Ok(example) {
        Ok(text.to_owned())
    } else {
        Err("expected the year, the month and the day, as in %d.%m.%Y or %m/%d/%Y".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(format: &Format, header: &str) -> Result<Columns, String> {
        format.columns(&header.split(',').collect())
    }

    #[test]
    fn columns_are_found_in_any_order_and_case() {
        let header = "Commodity,amount,more,ACCOUNT,date,transaction,description";
        let columns = columns(&Format::default(), header).unwrap();
        assert_eq!(columns.0, [5, 4, 6, 3, 1, 0]);
    }

    #[test]
    fn a_column_can_have_another_name() {
        let renamed = vec![parse_column("transaction=txnidx").unwrap(), parse_column("amount=a=b").unwrap()];
        let format = Format { columns: renamed, ..Format::default() };
        let found = columns(&format, "txnidx,date,description,account,a=b,commodity").unwrap();
        assert_eq!(found.0, [0, 1, 2, 3, 4, 5]);
        for bad in ["transaction", "transaction=", "=txnidx", "code=number"] {
            assert!(parse_column(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_without_a_column_is_refused_with_its_columns_and_the_option_to_use() {
        let refused =
            columns(&Format::default(), "txnidx,date,description,account,amount,commodity").unwrap_err();
        assert!(refused.starts_with("the header lacks transaction; it has txnidx, date,"), "{refused}");
        assert!(refused.contains("--column"), "{refused}");
        let refused = columns(&Format::default(), "transaction;date").unwrap_err();
        assert!(refused.contains("--separator"), "{refused}");
        let twice = "transaction,date,description,account,amount,commodity,Date";
        assert_eq!(columns(&Format::default(), twice).unwrap_err(), "the header contains date twice");
    }

    #[test]
    fn a_date_has_a_year_of_four_digits() {
        let format = Format::default();
        assert_eq!(format.date("2026-01-31"), Ok(NaiveDate::from_ymd_opt(2026, 1, 31).unwrap()));
        for date in ["-9999-01-01", "+9999-01-01", "-9999-1-01", "0000-01-01", "2026-1-1", "31.01.2026", ""] {
            let refused = format.date(date).unwrap_err();
            assert!(
                refused.contains("is not a date") && refused.contains("--date-format"),
                "{date}: {refused}"
            );
        }
    }

    #[test]
    fn dates_can_have_another_format() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        for (pattern, text) in
            [("%d.%m.%Y", "31.01.2026"), ("%m/%d/%Y", "1/31/2026"), ("%Y/%m/%d", "2026/01/31")]
        {
            let format =
                Format { date_format: Some(parse_date_format(pattern).unwrap()), ..Format::default() };
            assert_eq!(format.date(text), Ok(day));
            for bad in ["2026-01-31", "", "0/0/0", "+10000/01/01", "31.01.0000"] {
                assert!(format.date(bad).unwrap_err().contains(pattern), "{pattern}: {bad}");
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
