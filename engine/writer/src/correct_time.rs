//! Setting back the time of a log that ran ahead.

use std::sync::Arc;

use recount_core::{LogName, NewEvent};
use recount_store::{Append, Appended};

use crate::CommandEngine;
use crate::domain::Domain;
use crate::submission::{EventRef, SubmitError};
use crate::writer::{AttemptError, Backoff, STATEMENT_TIMEOUT, Writer, within};

/// How often the event is tried while other processes append to the log.
const ATTEMPTS_MAX: u32 = 50;

impl<D: Domain> CommandEngine<D> {
    /// Sets the time of a log back to the true one, if it ran ahead, and records that as an event of the domain
    /// ([`Domain::time_corrected`]). Returns the event, or `None` if the time of the log is not ahead.
    ///
    /// Events are recorded in the order of their time, so a log with an event from the future stays there until the true
    /// time has caught up. The store accepts no such event, but a log may have one of before: a restored log, or one whose
    /// database had a wrong clock. What was decided in the future stays decided.
    pub async fn correct_time(&self, log: &LogName, meta: Arc<str>) -> Result<Option<EventRef>, SubmitError> {
        let mut failure = SubmitError::Busy;
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS_MAX {
            match self.try_to_correct_time(log, &meta).await {
                Ok(Attempt::Done(event)) => return Ok(event),
                Ok(Attempt::NoLog) => return Err(SubmitError::LogUnknown),
                Err(AttemptError::TipMoved) => {}
                // Trying again is right: if the event is in the log, its time is not ahead any more.
                Err(AttemptError::Unavailable(_)) => {
                    if failure != SubmitError::OutcomeUnknown {
                        failure = SubmitError::Unavailable;
                    }
                    backoff.pause().await;
                }
                Err(AttemptError::OutcomeUnknown(_)) => {
                    failure = SubmitError::OutcomeUnknown;
                    backoff.pause().await;
                }
                Err(error) => {
                    tracing::error!(%log, ?error, "the time of a log could not be corrected");
                    return Err(SubmitError::Internal);
                }
            }
        }
        Err(failure)
    }

    async fn try_to_correct_time(&self, log: &LogName, meta: &Arc<str>) -> Result<Attempt, AttemptError> {
        let context = self.context();
        // Only this has to be cut off: an append has a limit of its own, and says what became of it.
        let opening = within(STATEMENT_TIMEOUT, Writer::<D>::open(context, log));
        let Some(writer) = opening.await? else { return Ok(Attempt::NoLog) };
        let now = context.environment.now();
        let event = D::time_corrected(writer.recorded_at, now).filter(|_| writer.recorded_at > now);
        let Some(event) = event else { return Ok(Attempt::Done(None)) };
        let encoded = D::encode(&event);
        let (event_type, id) = (encoded.event_type, context.environment.new_id());
        let mut append = Append::new(writer.log, writer.tip.hash, writer.frontier, writer.fence, now);
        let tip = append.push_event(NewEvent {
            id,
            event_type,
            version: encoded.version,
            tags: encoded.tags,
            data: encoded.data,
            meta: meta.clone(),
        });
        D::deadlines(&event).into_iter().for_each(|change| append.push_deadline(change));
        match context.store.append(&append, STATEMENT_TIMEOUT).await? {
            Appended::Done => {
                context.notifier.notify();
                let event_type = event_type.to_owned();
                Ok(Attempt::Done(Some(EventRef { position: tip.position, id, event_type })))
            }
            Appended::TipMoved | Appended::KeyTaken => Err(AttemptError::TipMoved),
        }
    }
}

/// What became of an attempt.
enum Attempt {
    Done(Option<EventRef>),
    NoLog,
}
