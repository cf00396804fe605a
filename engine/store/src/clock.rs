//! The time, as the database has it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};

use crate::error::StoreError;
use crate::reader::LogReader;

/// How often the clock of the database is read. Between two readings the time goes on by a clock that only counts.
const READ_INTERVAL: Duration = Duration::from_secs(1);
/// How long a reading may take: a host that has vanished does not even return an error.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// A clock that seems to have gone back by less than this has not: the answer took longer than an earlier one.
const LATENCY_MAX: TimeDelta = TimeDelta::milliseconds(500);

/// Tells the time by the clock of the database, so that all processes agree and a process whose own clock is wrong does no
/// harm. Cheap to clone. Its task ends with the last clone.
#[derive(Clone, Debug)]
pub struct DatabaseClock(Arc<Mutex<Reading>>);

/// A reading of the database's clock, and when it arrived here.
#[derive(Clone, Copy, Debug)]
struct Reading {
    time: DateTime<Utc>,
    at: Instant,
}

impl Reading {
    /// What the clock says now.
    fn now(&self) -> DateTime<Utc> {
        let since = TimeDelta::from_std(self.at.elapsed()).ok();
        since.and_then(|since| self.time.checked_add_signed(since)).unwrap_or(self.time)
    }

    /// The newer reading, unless it is only later because it took longer to arrive.
    fn or_newer(self, newer: Reading) -> Reading {
        let late = self.now() - newer.now();
        if late > TimeDelta::zero() && late < LATENCY_MAX { self } else { newer }
    }
}

impl DatabaseClock {
    /// Reads the clock, and keeps reading it. Must be called within a tokio runtime.
    pub async fn start(reader: &LogReader) -> Result<DatabaseClock, StoreError> {
        let clock = Arc::new(Mutex::new(read(reader).await?));
        let (watched, reader) = (Arc::downgrade(&clock), reader.clone());
        tokio::spawn(async move {
            loop {
                sleep(READ_INTERVAL).await;
                let reading = tokio::time::timeout(READ_TIMEOUT, read(&reader)).await;
                let Some(clock) = watched.upgrade() else { return };
                match reading {
                    Ok(Ok(reading)) => {
                        let mut clock = clock.lock().unwrap_or_else(PoisonError::into_inner);
                        *clock = clock.or_newer(reading);
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "the clock of the database could not be read"),
                    Err(_elapsed) => tracing::debug!("reading the clock of the database took too long"),
                }
            }
        });
        Ok(DatabaseClock(clock))
    }

    /// The time. It is never ahead of the database's clock, unless that clock was set back since it was read.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now()
    }
}

async fn read(reader: &LogReader) -> Result<Reading, StoreError> {
    let time = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(reader.brief())
        .await
        .map_err(StoreError::from_read)?;
    // The database read its clock before now, so a time that counts from now is late and never early.
    Ok(Reading { time, at: Instant::now() })
}
