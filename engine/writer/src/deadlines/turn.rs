//! A log's turn: its deadlines that are due get their commands.

use std::panic::catch_unwind;
use std::sync::Arc;

use recount_core::LogName;
use recount_store::Deadline;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{CommandEngine, Domain, IdempotencyKey, Outcome, Submission, SubmissionOutcome, SubmitError};

/// Commands of one log that are under way at a time: enough for the writer to commit many together.
const IN_FLIGHT_MAX: usize = 128;

/// What stands beside the events that come of a deadline.
const META: &str = r#"{"actor":"recount:deadlines"}"#;
/// What a submission takes in memory beside the deadline's name, about.
const OVERHEAD_BYTES: usize = 512;

/// A deadline that is to get its command.
#[derive(Debug)]
pub(crate) struct Due {
    pub deadline: Deadline,
    /// How often it was tried before. Only the first time it is under the deadline's key: what is recorded under that
    /// stays as it is, and the command may do something later that it did not do at first.
    pub tries: u32,
    /// Whether nothing else of its log is tried at the same time.
    pub alone: bool,
}

/// What became of a deadline's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It brought events.
    Met,
    NoEvents,
    Rejected(String),
    NoCommand,
    Failed(SubmitError),
}

impl Verdict {
    /// Whether the command, if it was its fault, took those down that were decided with it: it kept the writer from
    /// answering.
    pub(crate) fn may_have_harmed_others(&self) -> bool {
        matches!(self, Verdict::Failed(SubmitError::OutcomeUnknown | SubmitError::Unavailable))
    }
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
pub(crate) struct Turn {
    pub log: LogName,
    pub worked: Vec<(Deadline, Verdict)>,
    /// Why it ended early, if it did. The deadlines that are not in `worked` were not tried.
    pub stopped_by: Option<SubmitError>,
}

/// Submits the commands of deadlines of one log, when there is a place for the log: those that were tried least come
/// first, and those that may harm others come last, one by one.
pub(crate) async fn take<D: Domain>(
    engine: CommandEngine<D>,
    places: Arc<Semaphore>,
    log: LogName,
    mut due: Vec<Due>,
) -> Turn {
    let _place = places.acquire_owned().await;
    let mut turn = Turn { log, worked: Vec::new(), stopped_by: None };
    due.sort_by_key(|due| (due.alone, due.tries));
    let mut due = due.into_iter().peekable();
    let mut in_flight = JoinSet::new();
    loop {
        while turn.stopped_by.is_none()
            && let Some(next) =
                due.next_if(|next| in_flight.len() < if next.alone { 1 } else { IN_FLIGHT_MAX })
        {
            match command_for::<D>(&next.deadline) {
                Ok(command) => {
                    in_flight.spawn(submit(engine.clone(), next, command));
                }
                Err(verdict) => turn.worked.push((next.deadline, verdict)),
            }
        }
        match in_flight.join_next().await {
            Some(Ok((deadline, answer))) => turn.note(deadline, answer),
            Some(Err(error)) => tracing::error!(%error, "submitting what is due ended in a panic"),
            None => return turn,
        }
    }
}

/// The domain's command. A name that makes the domain panic must not end the turn of the others.
fn command_for<D: Domain>(deadline: &Deadline) -> Result<D::Command, Verdict> {
    match catch_unwind(|| D::when_due(&deadline.name)) {
        Ok(command) => command.ok_or(Verdict::NoCommand),
        Err(_panic) => Err(Verdict::Failed(SubmitError::Internal)),
    }
}

async fn submit<D: Domain>(
    engine: CommandEngine<D>,
    due: Due,
    command: D::Command,
) -> (Deadline, Result<SubmissionOutcome, SubmitError>) {
    let Due { deadline, tries, .. } = due;
    let submission = Submission {
        commands: vec![command],
        atomic: false,
        dry_run: false,
        key: (tries == 0).then(|| key(&deadline)),
        meta: META.into(),
        bytes: deadline.name.len() + OVERHEAD_BYTES,
    };
    let answer = engine.submit(&deadline.log_name, submission).await;
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
            // The trouble of the log, or this command is the trouble: others get a turn before it.
            Err(error @ (SubmitError::OutcomeUnknown | SubmitError::Unavailable)) => {
                self.stopped_by = Some(error.clone());
                Verdict::Failed(error)
            }
            // It was not taken on, nor would the others be.
            Err(error @ (SubmitError::Busy | SubmitError::ShuttingDown | SubmitError::LogUnknown)) => {
                self.stopped_by = Some(error);
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
    use recount_core::LogKey;

    #[test]
    fn another_log_another_name_and_another_moment_make_another_key() {
        let due_at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let deadline =
            Deadline { due_at, log: LogKey(1), name: "a".to_owned(), log_name: "main".parse().unwrap() };
        let others = [
            Deadline { log: LogKey(2), ..deadline.clone() },
            Deadline { name: "b".to_owned(), ..deadline.clone() },
            Deadline { due_at: due_at + TimeDelta::microseconds(1), ..deadline.clone() },
        ];
        assert_eq!(key(&deadline), key(&deadline.clone()));
        assert!(others.iter().all(|other| key(other).key != key(&deadline).key));
    }
}
