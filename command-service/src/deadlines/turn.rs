//! A log's turn: its deadlines that are due get their commands.

use std::sync::Arc;

use recount_event_store::Deadline;
use recount_events::LogKey;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::engine::{Domain, Engine, IdempotencyKey, Outcome, Submission, SubmissionOutcome, SubmitError};

/// Commands of one log that are under way at a time: enough for the writer to commit many together.
const IN_FLIGHT_MAX: usize = 128;

/// What stands beside the events that come of a deadline.
const META: &str = r#"{"actor":"recount:deadlines"}"#;
/// What a submission takes in memory beside the deadline's name, about.
const OVERHEAD_BYTES: usize = 512;

/// A deadline that is to get its command.
#[derive(Debug)]
pub(super) struct Due {
    pub deadline: Deadline,
    /// Whether under the deadline's key: only the first time. What is recorded under it then stays as it is, and the
    /// command may do something later that it did not do at first.
    pub keyed: bool,
}

/// What became of a deadline's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It brought events.
    Met,
    NoEvents,
    Rejected(String),
    NoCommand,
    Failed(SubmitError),
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Met => f.write_str("it brought events, and none of them cleared the deadline"),
            Verdict::NoEvents => f.write_str("it brought no events"),
            Verdict::Rejected(code) => write!(f, "it was rejected: {code}"),
            Verdict::NoCommand => f.write_str("the domain knows no command for it"),
            Verdict::Failed(error) => error.fmt(f),
        }
    }
}

/// What a turn came to.
#[derive(Debug)]
pub(super) struct Turn {
    pub log: LogKey,
    pub worked: Vec<(Deadline, Verdict)>,
    /// Why it ended early, if it did. The deadlines that are not in `worked` were not refused.
    pub setback: Option<SubmitError>,
}

/// Submits the commands of deadlines of one log, when there is a place for the log.
pub(super) async fn take<D: Domain>(
    engine: Engine<D>,
    places: Arc<Semaphore>,
    log: LogKey,
    due: Vec<Due>,
) -> Turn {
    let _place = places.acquire_owned().await;
    let mut turn = Turn { log, worked: Vec::new(), setback: None };
    let mut due = due.into_iter();
    let mut in_flight = JoinSet::new();
    loop {
        while turn.setback.is_none()
            && in_flight.len() < IN_FLIGHT_MAX
            && let Some(next) = due.next()
        {
            match D::when_due(&next.deadline.name) {
                Some(command) => {
                    in_flight.spawn(submit(engine.clone(), next, command));
                }
                None => turn.worked.push((next.deadline, Verdict::NoCommand)),
            }
        }
        match in_flight.join_next().await {
            Some(Ok((deadline, answer))) => turn.note(deadline, answer),
            Some(Err(error)) => tracing::error!(%error, "submitting what is due ended in a panic"),
            None => return turn,
        }
    }
}

async fn submit<D: Domain>(
    engine: Engine<D>,
    due: Due,
    command: D::Command,
) -> (Deadline, Result<SubmissionOutcome, SubmitError>) {
    let Due { deadline, keyed } = due;
    let submission = Submission {
        commands: vec![command],
        atomic: false,
        dry_run: false,
        key: keyed.then(|| key(&deadline)),
        meta: META.into(),
        bytes: deadline.name.len() + OVERHEAD_BYTES,
    };
    let answer = engine.submit(deadline.log, submission).await;
    (deadline, answer)
}

/// The same in every process: of those that submit a deadline's command, one brings it about.
fn key(deadline: &Deadline) -> IdempotencyKey {
    let log = deadline.log.0.to_be_bytes();
    let due_at = deadline.due_at.timestamp_micros().to_be_bytes();
    let parts: [&[u8]; 4] = [b"deadline", &log, deadline.name.as_bytes(), &due_at];
    IdempotencyKey::of_parts(&parts, &parts)
}

impl Turn {
    fn note(&mut self, deadline: Deadline, answer: Result<SubmissionOutcome, SubmitError>) {
        let verdict = match answer {
            Ok(outcome) => match outcome.outcomes.into_iter().next() {
                Some(Outcome::Accepted(accepted)) if !accepted.events.is_empty() => Verdict::Met,
                Some(Outcome::Rejected(refusal)) => Verdict::Rejected(refusal.code),
                Some(Outcome::Accepted(_)) | None => Verdict::NoEvents,
            },
            // The trouble of this command alone.
            Err(error @ (SubmitError::Internal | SubmitError::KeyReused)) => Verdict::Failed(error),
            // The trouble of the log: its other commands would meet the same.
            Err(error) => {
                self.setback = Some(error);
                return;
            }
        };
        if verdict == Verdict::Met {
            metrics::counter!("recount_deadlines_met_total").increment(1);
        }
        self.worked.push((deadline, verdict));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn another_log_another_name_and_another_moment_make_another_key() {
        let due_at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let deadline = Deadline { due_at, log: LogKey(1), name: "a".to_owned() };
        let others = [
            Deadline { log: LogKey(2), ..deadline.clone() },
            Deadline { name: "b".to_owned(), ..deadline.clone() },
            Deadline { due_at: due_at + TimeDelta::microseconds(1), ..deadline.clone() },
        ];
        assert_eq!(key(&deadline), key(&deadline.clone()));
        assert!(others.iter().all(|other| key(other).key != key(&deadline).key));
    }
}
