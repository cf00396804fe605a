//! The turn of a log: the commands of its due deadlines are submitted.

use std::panic::catch_unwind;
use std::sync::Arc;

use recount_core::LogName;
use recount_store::Deadline;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{CommandEngine, Domain, IdempotencyKey, Outcome, Submission, SubmissionOutcome, SubmitError};

/// Commands of one log that are submitted at the same time: enough for the writer to commit many together.
const CONCURRENT_COMMANDS_MAX: usize = 128;

/// The `meta` of the events that follow from a deadline.
const META: &str = r#"{"actor":"recount:deadlines"}"#;
/// About how much memory a submission takes in addition to the name of the deadline.
const OVERHEAD_BYTES: usize = 512;

/// A deadline whose command is to be submitted.
#[derive(Debug)]
pub(crate) struct DueDeadline {
    pub deadline: Deadline,
    /// The number of attempts before this one. Only the first attempt is made under the deadline's idempotency key,
    /// because the outcome that is recorded under the key never changes, and a later attempt may have another outcome.
    pub attempts: u32,
    /// Whether no other deadline of its log may be tried at the same time.
    pub isolated: bool,
}

/// The outcome of a deadline's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeadlineOutcome {
    /// The command was accepted, with events.
    Met,
    NoEvents,
    Rejected(String),
    NoCommand,
    Failed(SubmitError),
}

impl DeadlineOutcome {
    /// Whether the command may have kept the writer from answering, and so made the commands fail that were decided
    /// together with it.
    pub(crate) fn may_have_blocked_writer(&self) -> bool {
        matches!(self, DeadlineOutcome::Failed(SubmitError::OutcomeUnknown | SubmitError::Unavailable))
    }
}

impl std::fmt::Display for DeadlineOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeadlineOutcome::Met => f.write_str("it had events, but none of them cleared the deadline"),
            DeadlineOutcome::NoEvents => f.write_str("it had no events"),
            DeadlineOutcome::Rejected(code) => write!(f, "it was rejected: {code}"),
            DeadlineOutcome::NoCommand => f.write_str("the domain has no command for it"),
            DeadlineOutcome::Failed(error) => error.fmt(f),
        }
    }
}

/// The result of a turn.
#[derive(Debug)]
pub(crate) struct Turn {
    pub log: LogName,
    pub outcomes: Vec<(Deadline, DeadlineOutcome)>,
    /// Why the turn ended early, if it did. The deadlines without an outcome were not tried.
    pub stopped_by: Option<SubmitError>,
}

/// Submits the commands of due deadlines of one log, once it has a permit. Those with the fewest attempts come first.
/// Isolated ones come last, one at a time.
pub(crate) async fn run<D: Domain>(
    engine: CommandEngine<D>,
    permits: Arc<Semaphore>,
    log: LogName,
    mut due: Vec<DueDeadline>,
) -> Turn {
    let _permit = permits.acquire_owned().await;
    let mut turn = Turn { log, outcomes: Vec::new(), stopped_by: None };
    due.sort_by_key(|due| (due.isolated, due.attempts));
    let mut due = due.into_iter().peekable();
    let mut in_flight = JoinSet::new();
    loop {
        while turn.stopped_by.is_none()
            && let Some(next) =
                due.next_if(|next| in_flight.len() < if next.isolated { 1 } else { CONCURRENT_COMMANDS_MAX })
        {
            match command_for::<D>(&next.deadline) {
                Ok(command) => {
                    in_flight.spawn(submit(engine.clone(), next, command));
                }
                Err(outcome) => turn.outcomes.push((next.deadline, outcome)),
            }
        }
        match in_flight.join_next().await {
            Some(Ok((deadline, answer))) => turn.note(deadline, answer),
            Some(Err(error)) => tracing::error!(%error, "submitting the command of a deadline panicked"),
            None => return turn,
        }
    }
}

/// The domain's command for a deadline. If the domain panics on a name, the other deadlines are still tried.
fn command_for<D: Domain>(deadline: &Deadline) -> Result<D::Command, DeadlineOutcome> {
    match catch_unwind(|| D::when_due(&deadline.name)) {
        Ok(command) => command.ok_or(DeadlineOutcome::NoCommand),
        Err(_panic) => Err(DeadlineOutcome::Failed(SubmitError::Internal)),
    }
}

async fn submit<D: Domain>(
    engine: CommandEngine<D>,
    due: DueDeadline,
    command: D::Command,
) -> (Deadline, Result<SubmissionOutcome, SubmitError>) {
    let DueDeadline { deadline, attempts, .. } = due;
    let submission = Submission {
        commands: vec![command],
        atomic: false,
        dry_run: false,
        key: (attempts == 0).then(|| key(&deadline)),
        meta: META.into(),
        bytes: deadline.name.len() + OVERHEAD_BYTES,
    };
    let answer = engine.submit(&deadline.log_name, submission).await;
    (deadline, answer)
}

/// The idempotency key of a deadline. It is the same in every process, so the command takes effect once even if several
/// processes submit it.
fn key(deadline: &Deadline) -> IdempotencyKey {
    let log = deadline.log.0.to_be_bytes();
    let due_at = deadline.due_at.timestamp_micros().to_be_bytes();
    let parts: [&[u8]; 4] = [b"deadline", &log, deadline.name.as_bytes(), &due_at];
    IdempotencyKey::of_parts(&parts, &parts)
}

impl Turn {
    fn note(&mut self, deadline: Deadline, answer: Result<SubmissionOutcome, SubmitError>) {
        let outcome = match answer {
            Ok(submission) => match submission.outcomes.into_iter().next() {
                Some(Outcome::Accepted(accepted)) if !accepted.events.is_empty() => DeadlineOutcome::Met,
                Some(Outcome::Rejected(refusal)) => DeadlineOutcome::Rejected(refusal.code),
                Some(Outcome::Accepted(_)) | None => DeadlineOutcome::NoEvents,
            },
            // Only this command failed.
            Err(error @ (SubmitError::Internal | SubmitError::KeyReused)) => DeadlineOutcome::Failed(error),
            // The log has failed, or this command is the cause: the other deadlines are tried before it next time.
            Err(
                error @ (SubmitError::OutcomeUnknown | SubmitError::Unavailable | SubmitError::ClockAhead),
            ) => {
                self.stopped_by = Some(error.clone());
                DeadlineOutcome::Failed(error)
            }
            // The command was not accepted for processing, and the others would not be either.
            Err(error @ (SubmitError::Busy | SubmitError::ShuttingDown | SubmitError::LogUnknown)) => {
                self.stopped_by = Some(error);
                return;
            }
        };
        if outcome == DeadlineOutcome::Met {
            metrics::counter!("recount_deadlines_met_total").increment(1);
        }
        self.outcomes.push((deadline, outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};
    use recount_core::LogKey;

    #[test]
    fn the_key_depends_on_the_log_the_name_and_the_time() {
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
