//! Rows in the binary form of COPY.

use chrono::{DateTime, Utc};

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
/// Postgres counts microseconds from 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows of one table, as COPY reads them.
#[derive(Debug)]
pub(super) struct CopyRows(Vec<u8>);

impl CopyRows {
    pub(super) fn new() -> CopyRows {
        CopyRows(HEADER.to_vec())
    }

    /// Begins a row of this number of columns.
    pub(super) fn row(&mut self, columns: i16) -> &mut CopyRows {
        self.0.extend(columns.to_be_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut CopyRows {
        let len = i32::try_from(bytes.len()).expect("a column is small");
        self.0.extend(len.to_be_bytes());
        self.0.extend(bytes);
        self
    }

    pub(super) fn bigint(&mut self, number: i64) -> &mut CopyRows {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn integer(&mut self, number: i32) -> &mut CopyRows {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn smallint(&mut self, number: i16) -> &mut CopyRows {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn time(&mut self, time: DateTime<Utc>) -> &mut CopyRows {
        self.bigint(time.timestamp_micros() - EPOCH_MICROS)
    }

    /// All that is to be sent.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend(TRAILER.to_be_bytes());
        self.0
    }
}
