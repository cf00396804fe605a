//! Reading a journal: one posting per row, as other bookkeeping programs write them.
//!
//! The whole file is read and checked before anything is imported, so a file with an error changes nothing.

use std::collections::HashMap;

use chrono::NaiveDate;
use recount_events::ledger::AccountName;

use crate::balance;
use crate::format::{Format, Row};
use crate::journal::{Journal, LineError, Posting, Transaction};
use crate::names::{self, Code, Names};

/// The name and the description become metadata, and must fit into it even when every character is escaped.
const NOTES_BYTES_MAX: usize = 1_000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads and checks the journal, and returns all errors in it.
pub(crate) fn read(
    file: &[u8],
    format: &Format,
    names: &Names,
    conversion_account: Option<&AccountName>,
) -> Result<Journal, Vec<LineError>> {
    let file = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
    let mut journal = read_rows(file, format, names)?;
    let errors = balance::check(&mut journal, conversion_account);
    if errors.is_empty() { Ok(journal) } else { Err(errors) }
}

fn read_rows(file: &[u8], format: &Format, names: &Names) -> Result<Journal, Vec<LineError>> {
    let mut reader = format.reader(file);
    let header = reader.headers().map_err(|error| vec![unreadable(file, &error)])?;
    let header_line = line_at(file, header.position());
    let columns = format.columns(header).map_err(|reason| vec![LineError { line: header_line, reason }])?;
    let mut rows = Rows { format, names, journal: Journal::default(), by_name: HashMap::new() };
    let mut errors = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = line_at(file, record.position());
                if let Err(reason) = rows.add(&columns.row(&record), line) {
                    errors.push(LineError { line, reason });
                }
            }
            Err(error) => errors.push(unreadable(file, &error)),
        }
    }
    if errors.is_empty() { Ok(rows.journal) } else { Err(errors) }
}

/// The line on which a record starts. The position of the CSV reader is before the rest of the previous line ending and
/// before empty lines.
fn line_at(file: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let rest = usize::try_from(position.byte()).ok().and_then(|start| file.get(start..)).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    ends.fold(position.line(), |line, byte| line + u64::from(*byte == b'\n'))
}

fn unreadable(file: &[u8], error: &csv::Error) -> LineError {
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} fields, but the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "the row is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    LineError { line: line_at(file, error.position()), reason }
}

/// Builds a journal from rows.
struct Rows<'a> {
    format: &'a Format,
    names: &'a Names,
    journal: Journal,
    by_name: HashMap<String, usize>,
}

impl Rows<'_> {
    fn add(&mut self, row: &Row<'_>, line: u64) -> Result<(), String> {
        let date = self.format.date(row.date)?;
        let amount = self.format.amount(row.amount)?;
        let account = self.account(row.account)?;
        let index = self.transaction(row, date, line)?;
        if amount.is_zero() && row.commodity.is_empty() {
            // Some programs write no commodity for an amount of zero.
            self.journal.zero_lines.push(line);
            return Ok(());
        }
        let Code { code: commodity, scale: scale_min } = self.commodity(row.commodity)?;
        let scale = self.journal.scales.entry(commodity.clone()).or_default();
        *scale = (*scale).max(amount.decimals()).max(scale_min);
        if amount.is_zero() {
            self.journal.zero_lines.push(line);
        } else {
            let posting = Posting { line, account, amount, commodity };
            self.journal.transactions[index].postings.push(posting);
        }
        Ok(())
    }

    fn account(&self, text: &str) -> Result<String, String> {
        let account = self.names.account(text);
        match account.parse::<AccountName>() {
            Ok(_) => Ok(account),
            Err(error) => Err(format!("{error}; specify another name with --account '{text}=NAME'")),
        }
    }

    fn commodity(&self, text: &str) -> Result<Code, String> {
        let code = self.names.code(text);
        if names::is_code(&code.code) {
            return Ok(code);
        }
        let problem = if text.is_empty() {
            "the commodity is missing".to_owned()
        } else {
            format!("commodity `{text}` is not an asset code")
        };
        Err(format!("{problem}; specify one with --asset '{text}=CODE': {}", names::CODE_RULE))
    }

    /// The index of the row's transaction.
    fn transaction(&mut self, row: &Row<'_>, date: NaiveDate, line: u64) -> Result<usize, String> {
        if row.transaction.is_empty() {
            return Err("the transaction has no name".to_owned());
        }
        if row.description.len() + row.transaction.len() > NOTES_BYTES_MAX {
            return Err(format!(
                "the name and the description of a transaction may have {NOTES_BYTES_MAX} bytes together"
            ));
        }
        let transactions = &mut self.journal.transactions;
        let Some(index) = self.by_name.get(row.transaction) else {
            self.by_name.insert(row.transaction.to_owned(), transactions.len());
            transactions.push(Transaction {
                name: row.transaction.to_owned(),
                line,
                date,
                description: row.description.to_owned(),
                postings: Vec::new(),
            });
            return Ok(transactions.len() - 1);
        };
        let transaction = &transactions[*index];
        if transaction.date != date || transaction.description != row.description {
            let (name, first) = (&transaction.name, transaction.line);
            return Err(format!("transaction {name} has another date or description on line {first}"));
        }
        Ok(*index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "transaction,date,description,account,amount,commodity\n";

    fn read_text(text: &str) -> Result<Journal, Vec<LineError>> {
        read(text.as_bytes(), &Format::default(), &Names::default(), None)
    }

    fn journal(rows: &str) -> Journal {
        read_text(&format!("{HEADER}{rows}")).unwrap()
    }

    fn errors(rows: &str) -> Vec<String> {
        let errors = read_text(&format!("{HEADER}{rows}")).expect_err("the journal has errors");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn postings_are_grouped_by_transaction_and_scales_come_from_the_file() {
        let journal =
            journal("1,2026-01-01,Rent,Assets:Bank,-4.00,USD\n1,2026-01-01,Rent,Expenses:Rent,4,USD\n");
        assert_eq!(journal.scales["USD"], 2);
        let postings = &journal.transactions[0].postings;
        assert_eq!(postings[0].amount.minor_units(2), Some(-400));
        assert_eq!(postings[1].amount.minor_units(2), Some(400));
    }

    #[test]
    fn a_commodity_has_the_specified_decimals_unless_the_file_has_more() {
        for (option, scale) in [("USD=USD/2", 2), ("USD=USD/1", 2), ("USD=USD/6", 6)] {
            let names = Names::new(Vec::new(), Vec::new(), vec![names::parse_code(option).unwrap()]);
            let rows = "1,2026-01-01,x,Assets:A,1.50,USD\n1,2026-01-01,x,Assets:B,-1.5,USD\n";
            let journal =
                read(format!("{HEADER}{rows}").as_bytes(), &Format::default(), &names, None).unwrap();
            assert_eq!(journal.scales["USD"], scale, "{option}");
        }
    }

    #[test]
    fn rows_of_different_transactions_may_be_mixed() {
        let journal = journal(
            "1,2026-01-01,x,Assets:A,1,USD\n2,2026-01-02,y,Assets:A,5,USD\n\
             1,2026-01-01,x,Assets:B,-1,USD\n2,2026-01-02,y,Assets:B,-5,USD\n",
        );
        let lines = |index: usize| journal.transactions[index].postings.iter().map(|posting| posting.line);
        assert_eq!((lines(0).collect(), lines(1).collect()), (vec![2, 4], vec![3, 5]));
    }

    #[test]
    fn postings_of_zero_are_skipped_and_reported_with_and_without_a_commodity() {
        let journal = journal(
            "1,2026-01-01,x,Assets:A,1,USD\n1,2026-01-01,x,Assets:B,-1,USD\n1,2026-01-01,x,Assets:C,0.00,USD\n\
             1,2026-01-01,x,Assets:C,0,\n",
        );
        assert_eq!(journal.zero_lines, [4, 5]);
        assert_eq!(journal.transactions[0].postings.len(), 2);
        assert_eq!(journal.scales.keys().collect::<Vec<_>>(), ["USD"]);
    }

    #[test]
    fn every_invalid_line_is_reported() {
        let errors = errors(
            "1,yesterday,x,Assets:A,1,USD\n1,2026-01-01,x,Assets:A,1.2.3,USD\n1,2026-01-01,x,Assets::A,1,USD\n\
             1,2026-01-01,x,Assets:A\n1,2026-01-01,x,Assets:A,1,U$\n1,2026-01-01,x,Assets:A,1,\n\
             ,2026-01-01,x,Assets:A,1,USD\n1,2026-01-01,y,Assets:A,1,USD\n",
        );
        for (error, (line, part)) in errors.iter().zip([
            ("line 2: ", "`yesterday`"),
            ("line 3: ", "`1.2.3`"),
            ("line 4: ", "--account 'Assets::A=NAME'"),
            ("line 5: ", "the row has 4 fields, but the header has 6"),
            ("line 6: ", "--asset 'U$=CODE'"),
            ("line 7: ", "the commodity is missing"),
            ("line 8: ", "the transaction has no name"),
            ("line 9: ", "another date or description on line 6"),
        ]) {
            assert!(error.starts_with(line) && error.contains(part), "{error}");
        }
        assert_eq!(errors.len(), 8, "{errors:?}");
    }

    #[test]
    fn line_numbers_match_those_of_an_editor() {
        let row = "1,2026-01-01,x,Assets:A,bad,USD";
        let folded = "1,2026-01-01,\"x\ny\",Assets:A,bad,USD";
        let header = HEADER.trim_end();
        for (text, lines) in [
            (format!("{header}\n{row}\n{row}"), [2, 3]),
            (format!("{header}\r\n{row}\r\n{row}\r\n"), [2, 3]),
            (format!("\n\n{header}\n\n{row}\n\n\n{row}\n\n"), [5, 8]),
            (format!("\r\n{header}\r\n\r\n{row}\r\n\r\n{row}"), [4, 6]),
            (format!("{header}\n{folded}\n{row}\n"), [2, 4]),
            (format!("{header}\r\n{folded}\r\n{row}\r\n"), [2, 4]),
            (format!("\u{feff}{header}\r\n\r\n{row}\r\n{row},\r\n"), [3, 4]),
        ] {
            let errors = read_text(&text).expect_err("the journal has errors");
            assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), lines, "{text:?}");
        }
        let errors = read_text("\r\n\r\ndate,amount\r\n").expect_err("the journal has errors");
        assert_eq!(errors[0].line, 3);
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_reported() {
        let file = [HEADER.as_bytes(), b"1,2026-01-01,B\xfcro,Assets:A,1,USD\n"].concat();
        let errors =
            read(&file, &Format::default(), &Names::default(), None).expect_err("the journal has errors");
        assert_eq!(errors[0].to_string(), "line 2: the row is not UTF-8 text");
    }

    #[test]
    fn a_description_that_exceeds_the_metadata_limit_is_refused() {
        let errors = errors(&format!("1,2026-01-01,{},Assets:A,1,USD\n", "x".repeat(1_000)));
        assert!(errors[0].contains("1000 bytes"), "{errors:?}");
    }

    #[test]
    fn a_header_with_missing_columns_is_refused() {
        for (text, part) in [("date,amount\n", "commodity"), ("", "it is empty")] {
            let errors = read_text(text).expect_err("the journal has errors");
            assert!(errors[0].reason.contains(part), "{errors:?}");
        }
    }
}
