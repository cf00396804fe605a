//! Reading a journal: postings, one a line, as other bookkeeping programs write them.
//!
//! The whole file is read and checked before anything is imported, so that a file with a mistake in it changes
//! nothing.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use recount_events::ledger::AccountName;

use super::balance;
use super::decimal::Decimal;
use super::form::{Form, Row};
use super::names::{self, Code, Names};

/// A journal that can be imported.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) transactions: Vec<Transaction>,
    /// The most decimals that each commodity is written with, or those that were said if they are more.
    pub(crate) scales: BTreeMap<String, u8>,
    /// The lines whose amount is zero: there is nothing to post on them.
    pub(crate) zero_lines: Vec<u64>,
    /// The transactions whose other side was posted to the conversion account.
    pub(crate) exchanges: usize,
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

/// What cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct LineError {
    pub(crate) line: u64,
    pub(crate) reason: String,
}

/// They become metadata, and have to fit into it however they are escaped.
const NOTES_BYTES_MAX: usize = 1_000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the journal; everything that is wrong with it is named.
pub(super) fn read(
    file: &[u8],
    form: &Form,
    names: &Names,
    conversion_account: Option<&AccountName>,
) -> Result<Journal, Vec<LineError>> {
    let file = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
    let mut journal = read_rows(file, form, names)?;
    let errors = balance::settle(&mut journal, conversion_account);
    if errors.is_empty() { Ok(journal) } else { Err(errors) }
}

fn read_rows(file: &[u8], form: &Form, names: &Names) -> Result<Journal, Vec<LineError>> {
    let mut reader = form.reader(file);
    let header = reader.headers().map_err(|error| vec![unreadable(file, &error)])?;
    let header_line = line_at(file, header.position());
    let columns = form.columns(header).map_err(|reason| vec![LineError { line: header_line, reason }])?;
    let mut rows = Rows { form, names, journal: Journal::default(), by_name: HashMap::new() };
    let mut errors = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = line_at(file, record.position());
                if let Err(reason) = rows.take(&columns.row(&record), line) {
                    errors.push(LineError { line, reason });
                }
            }
            Err(error) => errors.push(unreadable(file, &error)),
        }
    }
    if errors.is_empty() { Ok(rows.journal) } else { Err(errors) }
}

/// The line on which a record begins. The reader's position is before what is left of the end of the line before it,
/// and before empty lines.
fn line_at(file: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let rest = usize::try_from(position.byte()).ok().and_then(|start| file.get(start..)).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    ends.fold(position.line(), |line, byte| line + u64::from(*byte == b'\n'))
}

fn unreadable(file: &[u8], error: &csv::Error) -> LineError {
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, and the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not text in UTF-8".to_owned(),
        _ => error.to_string(),
    };
    LineError { line: line_at(file, error.position()), reason }
}

/// Rows on their way into a journal.
struct Rows<'a> {
    form: &'a Form,
    names: &'a Names,
    journal: Journal,
    by_name: HashMap<String, usize>,
}

impl Rows<'_> {
    fn take(&mut self, row: &Row<'_>, line: u64) -> Result<(), String> {
        let date = self.form.date(row.date)?;
        let amount = self.form.amount(row.amount)?;
        let account = self.account(row.account)?;
        let index = self.transaction(row, date, line)?;
        if amount.is_zero() && row.commodity.is_empty() {
            // Programs write no commodity for nothing.
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
            Err(error) => Err(format!("{error}; say another name with --account '{text}=NAME'")),
        }
    }

    fn commodity(&self, text: &str) -> Result<Code, String> {
        let code = self.names.code(text);
        if names::is_code(&code.code) {
            return Ok(code);
        }
        let told =
            if text.is_empty() { "there is no commodity".to_owned() } else { format!("commodity `{text}`") };
        Err(format!(
            "{told}: an amount is counted under a code of {}; say one with --asset '{text}=CODE'",
            names::CODE_RULE
        ))
    }

    /// The index of the row's transaction.
    fn transaction(&mut self, row: &Row<'_>, date: NaiveDate, line: u64) -> Result<usize, String> {
        if row.transaction.is_empty() {
            return Err("the transaction is not named".to_owned());
        }
        if row.description.len() + row.transaction.len() > NOTES_BYTES_MAX {
            return Err(format!(
                "the transaction's name and description take {NOTES_BYTES_MAX} bytes at most together"
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
        read(text.as_bytes(), &Form::default(), &Names::default(), None)
    }

    fn journal(rows: &str) -> Journal {
        read_text(&format!("{HEADER}{rows}")).unwrap()
    }

    fn errors(rows: &str) -> Vec<String> {
        let errors = read_text(&format!("{HEADER}{rows}")).expect_err("it was read");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn postings_of_one_transaction_are_gathered_and_scales_taken_from_the_file() {
        let journal =
            journal("1,2026-01-01,Rent,Assets:Bank,-4.00,USD\n1,2026-01-01,Rent,Expenses:Rent,4,USD\n");
        assert_eq!(journal.scales["USD"], 2);
        let postings = &journal.transactions[0].postings;
        assert_eq!(postings[0].amount.minor_units(2), Some(-400));
        assert_eq!(postings[1].amount.minor_units(2), Some(400));
    }

    #[test]
    fn a_commodity_has_the_decimals_that_were_said_unless_the_file_has_more() {
        for (said, scale) in [("USD=USD/2", 2), ("USD=USD/1", 2), ("USD=USD/6", 6)] {
            let names = Names::new(Vec::new(), Vec::new(), vec![names::parse_code(said).unwrap()]);
            let rows = "1,2026-01-01,x,Assets:A,1.50,USD\n1,2026-01-01,x,Assets:B,-1.5,USD\n";
            let journal = read(format!("{HEADER}{rows}").as_bytes(), &Form::default(), &names, None).unwrap();
            assert_eq!(journal.scales["USD"], scale, "{said}");
        }
    }

    #[test]
    fn rows_of_one_transaction_need_not_follow_each_other() {
        let journal = journal(
            "1,2026-01-01,x,Assets:A,1,USD\n2,2026-01-02,y,Assets:A,5,USD\n\
             1,2026-01-01,x,Assets:B,-1,USD\n2,2026-01-02,y,Assets:B,-5,USD\n",
        );
        let lines = |index: usize| journal.transactions[index].postings.iter().map(|posting| posting.line);
        assert_eq!((lines(0).collect(), lines(1).collect()), (vec![2, 4], vec![3, 5]));
    }

    #[test]
    fn a_posting_of_nothing_is_left_out_and_named_whatever_it_is_nothing_of() {
        let journal = journal(
            "1,2026-01-01,x,Assets:A,1,USD\n1,2026-01-01,x,Assets:B,-1,USD\n1,2026-01-01,x,Assets:C,0.00,USD\n\
             1,2026-01-01,x,Assets:C,0,\n",
        );
        assert_eq!(journal.zero_lines, [4, 5]);
        assert_eq!(journal.transactions[0].postings.len(), 2);
        assert_eq!(journal.scales.keys().collect::<Vec<_>>(), ["USD"]);
    }

    #[test]
    fn every_line_that_cannot_be_read_is_named() {
        let errors = errors(
            "1,yesterday,x,Assets:A,1,USD\n1,2026-01-01,x,Assets:A,1.2.3,USD\n1,2026-01-01,x,Assets::A,1,USD\n\
             1,2026-01-01,x,Assets:A\n1,2026-01-01,x,Assets:A,1,U$\n1,2026-01-01,x,Assets:A,1,\n\
             ,2026-01-01,x,Assets:A,1,USD\n1,2026-01-01,y,Assets:A,1,USD\n",
        );
        for (error, (line, part)) in errors.iter().zip([
            ("line 2: ", "`yesterday`"),
            ("line 3: ", "`1.2.3`"),
            ("line 4: ", "--account 'Assets::A=NAME'"),
            ("line 5: ", "it has 4 fields, and the header has 6"),
            ("line 6: ", "--asset 'U$=CODE'"),
            ("line 7: ", "there is no commodity"),
            ("line 8: ", "the transaction is not named"),
            ("line 9: ", "another date or description on line 6"),
        ]) {
            assert!(error.starts_with(line) && error.contains(part), "{error}");
        }
        assert_eq!(errors.len(), 8, "{errors:?}");
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
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
            let errors = read_text(&text).expect_err("it was read");
            assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), lines, "{text:?}");
        }
        let errors = read_text("\r\n\r\ndate,amount\r\n").expect_err("it was read");
        assert_eq!(errors[0].line, 3);
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused_by_its_line() {
        let file = [HEADER.as_bytes(), b"1,2026-01-01,B\xfcro,Assets:A,1,USD\n"].concat();
        let errors = read(&file, &Form::default(), &Names::default(), None).expect_err("it was read");
        assert_eq!(errors[0].to_string(), "line 2: it is not text in UTF-8");
    }

    #[test]
    fn a_description_that_does_not_fit_into_metadata_is_refused() {
        let errors = errors(&format!("1,2026-01-01,{},Assets:A,1,USD\n", "x".repeat(1_000)));
        assert!(errors[0].contains("1000 bytes"), "{errors:?}");
    }

    #[test]
    fn a_header_without_the_columns_is_refused() {
        for (text, told) in [("date,amount\n", "commodity"), ("", "it has nothing")] {
            let errors = read_text(text).expect_err("it was read");
            assert!(errors[0].reason.contains(told), "{errors:?}");
        }
    }
}
