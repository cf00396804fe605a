//! Step 5, if needed: another process wrote first, or the connection was lost during the commit.

use recount_core::Position;
use recount_store::Log;
use uuid::Uuid;

use crate::batch::Batch;
use crate::domain::Domain;
use crate::submission::SubmitError;
use crate::writer::{AttemptError, Backoff, STATEMENT_TIMEOUT, Writer, within};

/// Events per page when the writer reads what other processes have appended.
const PAGE_EVENTS_MAX: u32 = 1_000;

/// Events that are read to bring memory up to date. If there are more, hardly any of them concern an entity in memory,
/// so a writer that is further behind forgets its entities, starts again at the head and loads what it needs.
const TAIL_EVENTS_MAX: i64 = 10_000;

impl<D: Domain> Writer<D> {
    /// Reads what other processes have appended.
    pub(crate) async fn catch_up(&mut self) -> Result<(), AttemptError> {
        let log = self
            .store
            .reader()
            .log(self.log)
            .await?
            .ok_or_else(|| AttemptError::Refused("the log is gone".to_owned()))?;
        if log.head.0 - self.head.0 > TAIL_EVENTS_MAX {
            self.reopen(&log);
            return Ok(());
        }
        let mut position = self.head;
        while position < log.head {
            let events = self.store.reader().read(self.log, position, PAGE_EVENTS_MAX).await?;
            if events.is_empty() {
                return Err(AttemptError::Refused(format!("the log ends at {position}, before its head")));
            }
            for event in &events {
                event.tags.iter().for_each(|tag| self.seen.insert_tag(tag));
                match D::decode(&event.event_type, event.version, &event.data) {
                    Ok(decoded) => self.entities.catch_up(&event.tags, event.position, &decoded),
                    Err(error) => {
                        // A command that reads an entity of this event fails when the entity is loaded; others go on.
                        tracing::error!(log = %self.name, position = %event.position, %error, "an event is unreadable");
                        self.entities.clear();
                    }
                }
                position = event.position;
                self.recorded_at = self.recorded_at.max(event.recorded_at);
            }
            self.head = position;
        }
        self.fence = log.fence;
        self.recorded_at = self.recorded_at.max(log.recorded_at);
        Ok(())
    }

    /// Starts again at the head of the log, and forgets everything before it.
    fn reopen(&mut self, log: &Log) {
        (self.head, self.fence, self.recorded_at) = (log.head, log.fence, log.recorded_at);
        self.entities.clear();
        self.seen.reopen(log.head);
    }

    /// Finds out whether a batch is in the log after the connection was lost during its commit, and answers its callers
    /// if it is. Returns whether the batch is finished: it is in the log, or no caller waits for it any more.
    pub(crate) async fn settle(&mut self, batch: &mut Batch<D>) -> bool {
        // Catching up moves the head, even if it fails half-way. The batch would be right after the old head.
        let before = self.head;
        let mut backoff = Backoff::default();
        loop {
            batch.answer_overdue(self.environment.now(), &SubmitError::OutcomeUnknown);
            if batch.is_empty() {
                // A statement may still be under way; the compare-and-set keeps it and the next batch apart.
                self.entities.put_back();
                return true;
            }
            match within(STATEMENT_TIMEOUT, self.look_for(before, batch.first_event_id())).await {
                Ok(found) => {
                    tracing::info!(log = %self.name, found, "the outcome of a batch is known");
                    if found {
                        batch.answer_decided(&mut self.seen);
                        self.notifier.notify();
                        self.entities.put_back();
                    } else {
                        // Outcomes without events leave no trace in the log itself, so look up the keys.
                        batch.look_up_all_keys();
                    }
                    return found;
                }
                Err(error) => {
                    tracing::warn!(log = %self.name, ?error, "the store cannot tell the outcome of a batch yet");
                    backoff.pause().await;
                }
            }
        }
    }

    /// Whether the event right after `before` is this one. The fence keeps a statement that is still under way from
    /// putting it there later.
    async fn look_for(&mut self, before: Position, first_event: Option<Uuid>) -> Result<bool, AttemptError> {
        self.store.raise_fence(self.log).await?;
        let found = match first_event {
            Some(id) => {
                let next = self.store.reader().read(self.log, before, 1).await?;
                next.first().is_some_and(|event| event.id == id)
            }
            None => false,
        };
        self.catch_up().await?;
        Ok(found)
    }
}
