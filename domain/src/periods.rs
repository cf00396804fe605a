//! Effective times: the window of accepted times, and closed periods.

use chrono::{DateTime, Days, NaiveTime, Utc};
use recount_events::ledger::{
    EffectiveWindow, EffectiveWindowSet, LedgerEvent, PeriodClosed, PeriodReopened,
};

use crate::decision::Decision;
use crate::entity::Ledger;
use crate::rejection::{Rejection, Timestamp};

pub(crate) fn set_window(window: EffectiveWindow, ledger: &Ledger) -> Decision {
    let event = LedgerEvent::EffectiveWindowSet(EffectiveWindowSet { window });
    Ok(if ledger.window == window { vec![] } else { vec![event] })
}

pub(crate) fn close(through: DateTime<Utc>, ledger: &Ledger, now: DateTime<Utc>) -> Decision {
    if ledger.closed_through.is_some_and(|closed| closed >= through) {
        return Ok(vec![]);
    }
    // Only a period that has ended can be closed, so an effective time equal to the time of recording is always open.
    if through >= now {
        return Err(Rejection::PeriodNotOver { through: Timestamp(through), now: Timestamp(now) });
    }
    Ok(vec![LedgerEvent::PeriodClosed(PeriodClosed { through })])
}

pub(crate) fn reopen(from: DateTime<Utc>, ledger: &Ledger) -> Decision {
    let is_closed = ledger.closed_through.is_some_and(|closed| closed >= from);
    Ok(if is_closed { vec![LedgerEvent::PeriodReopened(PeriodReopened { from })] } else { vec![] })
}

/// Checks that the ledger accepts the effective time.
pub(crate) fn check_effective(
    effective_at: DateTime<Utc>,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    let given = Timestamp(effective_at);
    let EffectiveWindow { past_days, future_days } = ledger.window;
    // The window has whole UTC days: a date means its midnight, and is accepted while its day is in the window.
    if let Some(earliest) = past_days.and_then(|days| midnight(now)?.checked_sub_days(Days::new(days.into())))
        && effective_at < earliest
    {
        return Err(Rejection::EffectiveTooEarly { effective_at: given, earliest: Timestamp(earliest) });
    }
    let after = |days: u32| midnight(now)?.checked_add_days(Days::new(u64::from(days) + 1));
    if let Some(before) = future_days.and_then(after)
        && effective_at >= before
    {
        return Err(Rejection::EffectiveTooLate { effective_at: given, before: Timestamp(before) });
    }
    match ledger.closed_through {
        Some(closed) if effective_at <= closed => {
            Err(Rejection::PeriodClosed { effective_at: given, closed_through: Timestamp(closed) })
        }
        _ => Ok(()),
    }
}

fn midnight(moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
    moment.with_time(NaiveTime::MIN).single()
}
