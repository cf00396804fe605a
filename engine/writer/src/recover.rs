//! Step 5, if needed: another process wrote first, the log has lost its end, or the connection was lost during the commit.

use recount_core::{RecordedEvent, Tip};
use recount_store::{Log, StoreError};
use uuid::Uuid;

use crate::batch::Batch;
use crate::domain::Domain;
use crate::submission::SubmitError;
use crate::writer::{AttemptError, Backoff, STATEMENT_TIMEOUT, Writer, within};

/// Events per page when the writer reads what other processes have appended.
const PAGE_EVENTS_MAX: u32 = 1_000;

/// Events that are read to bring memory up to date. If there are more, hardly any of them concern an entity in memory,
/// so a writer that is further behind forgets its entities, starts again at the tip and loads what it needs.
const TAIL_EVENTS_MAX: i64 = 10_000;

impl<D: Domain> Writer<D> {
    /// Reads what other processes have appended. If the log does not contain the tip that this writer stands on, it went
    /// back, and the writer starts again at the true tip: nothing that it remembers is worth anything.
    pub(crate) async fn catch_up(&mut self) -> Result<(), AttemptError> {
        let log = self
            .store
            .reader()
            .log(self.log)
            .await?
            .ok_or_else(|| AttemptError::Refused("the log is gone".to_owned()))?;
        if log.tip.position.0 - self.tip.position.0 > TAIL_EVENTS_MAX {
            return self.reopen(&log).await;
        }
        // The log is shorter than what this writer knows, or ends otherwise at the same position.
        if self.tip.position >= log.tip.position && self.tip != log.tip {
            return self.start_again(&log).await;
        }
        // Each page was verified to follow the one before, so it may lead beyond the end that was read first.
        while self.tip.position < log.tip.position {
            match self.store.reader().read_after(self.log, self.tip, PAGE_EVENTS_MAX).await {
                Ok(events) if events.is_empty() => return self.start_again(&log).await,
                Ok(events) => events.iter().for_each(|event| self.take_in(event)),
                Err(StoreError::Diverged(_)) => return self.start_again(&log).await,
                Err(error) => return Err(error.into()),
            }
        }
        self.fence = log.fence;
        Ok(())
    }

    /// Takes in an event that another process has appended.
    fn take_in(&mut self, event: &RecordedEvent) {
        let tip = Tip::at(event);
        self.seen.insert_tags(tip.position, &event.tags);
        match D::decode(&event.event_type, event.version, &event.data) {
            Ok(decoded) => self.entities.catch_up(event, &decoded),
            Err(error) => {
                // A command that reads an entity of this event fails when the entity is loaded; others go on.
                tracing::error!(log = %self.name, position = %event.position, %error, "an event is unreadable");
                self.entities.clear();
            }
        }
        self.frontier.push(event.hash);
        (self.tip, self.recorded_at) = (tip, event.recorded_at);
    }

    /// Starts again at the tip of a log that does not contain the tip that this writer stood on.
    async fn start_again(&mut self, log: &Log) -> Result<(), AttemptError> {
        metrics::counter!("recount_writer_log_went_back_total").increment(1);
        tracing::error!(
            log = %self.name, known = %self.tip, now = %log.tip,
            "the log went back or was rewritten: the database has lost events that were acknowledged; this process starts \
             again at the end that the log has now"
        );
        self.reopen(log).await
    }

    /// Starts again at the tip of the log, and forgets everything before it.
    async fn reopen(&mut self, log: &Log) -> Result<(), AttemptError> {
        // First what can fail, so that the writer never stands between two histories.
        let is_longer = self.store.reader().contains(self.log, self.tip).await?;
        self.frontier = self.store.reader().frontier(self.log, log.tip).await?;
        (self.tip, self.fence, self.recorded_at) = (log.tip, log.fence, log.recorded_at);
        self.log_id = log.id;
        self.entities.clear();
        // What was read of long histories is true as long as the log goes on from where it was read.
        if !is_longer {
            self.loader.clear();
        }
        self.seen.reopen(log.tip.position);
        Ok(())
    }

    /// Finds out whether a batch is in the log after the connection was lost during its commit, and answers its callers
    /// if it is. Returns whether the batch is finished: it is in the log, or no caller waits for it any more.
    pub(crate) async fn settle(&mut self, batch: &mut Batch<D>) -> bool {
        // Catching up moves the tip, even if it fails half-way. The batch would be right after the old tip.
        let before = self.tip;
        let mut backoff = Backoff::default();
        loop {
            batch.answer_overdue(&SubmitError::OutcomeUnknown);
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
                        batch.not_sent();
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
    async fn look_for(&mut self, before: Tip, first_event: Option<Uuid>) -> Result<bool, AttemptError> {
        self.store.raise_fence(self.log).await?;
        let found = match first_event {
            Some(id) => match self.store.reader().read_after(self.log, before, 1).await {
                Ok(next) => next.first().is_some_and(|event| event.id == id),
                // The log went back behind the batch.
                Err(StoreError::Diverged(_)) => false,
                Err(error) => return Err(error.into()),
            },
            None => false,
        };
        self.catch_up().await?;
        Ok(found)
    }
}
