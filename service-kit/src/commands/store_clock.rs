//! The time of a service that appends: that of its event store. Its own clock is only compared with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use recount_core::Environment;
use recount_store::{DatabaseClock, LogReader, StoreError};

use crate::health::Health;
use crate::{clock, ids};

/// How far the clock of this process may be from the event store's. Decisions do not depend on it; but certificates, tokens
/// and the output do, and a larger difference is a mistake of the machine's operator.
const DIFFERENCE_MAX: TimeDelta = TimeDelta::seconds(5);

/// The clock of the event store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StoreClock {
    clock: DatabaseClock,
    /// Whether the difference was too large at the last look, so that a change is said once.
    is_off: Arc<AtomicBool>,
}

impl StoreClock {
    /// Reads the clock of the store, and says so if this process has another time.
    pub async fn start(reader: &LogReader) -> Result<StoreClock, StoreError> {
        let clock = StoreClock { clock: DatabaseClock::start(reader).await?, is_off: Arc::default() };
        // What it says is all that is wanted here.
        let _ = clock.check();
        Ok(clock)
    }

    /// The time of the store and new ids, for the engine.
    pub fn environment(&self) -> Environment {
        let clock = self.clock.clone();
        Environment::new(move || clock.now(), ids::new_id)
    }

    /// Adds the check that this process has the same time as the event store.
    pub fn watch(&self, health: &Health) {
        let clock = self.clone();
        health.add("clock", move || std::future::ready(clock.check()));
    }

    fn check(&self) -> Result<(), String> {
        let (own, store) = (clock::now(), self.clock.now());
        let checked = compare(own, store);
        let sign = if own < store { -1.0 } else { 1.0 };
        let difference = (own - store).abs().to_std().unwrap_or_default().as_secs_f64();
        metrics::gauge!("recount_clock_ahead_seconds").set(difference.copysign(sign));
        let was_off = self.is_off.swap(checked.is_err(), Ordering::Relaxed);
        match &checked {
            Err(difference) if !was_off => tracing::error!(%own, event_store = %store, "{difference}"),
            Ok(()) if was_off => tracing::info!("this process and the event store have the same time again"),
            _ => {}
        }
        checked
    }
}

fn compare(own: DateTime<Utc>, store: DateTime<Utc>) -> Result<(), String> {
    let difference = own - store;
    if difference.abs() <= DIFFERENCE_MAX {
        return Ok(());
    }
    let direction = if difference > TimeDelta::zero() { "ahead of" } else { "behind" };
    let seconds = difference.abs().num_seconds();
    Err(format!("the clock of this process is {seconds} s {direction} the event store's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_more_than_some_seconds_is_told_with_its_direction() {
        let store = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for (seconds, told) in [
            (0, None),
            (5, None),
            (-5, None),
            (6, Some("the clock of this process is 6 s ahead of the event store's")),
            (-3_600, Some("the clock of this process is 3600 s behind the event store's")),
        ] {
            let told = told.map_or(Ok(()), |told: &str| Err(told.to_owned()));
            assert_eq!(compare(store + TimeDelta::seconds(seconds), store), told);
        }
    }
}
