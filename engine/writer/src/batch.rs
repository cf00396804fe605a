//! A batch: submissions that are decided and committed together, and the outcome of each.

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_store::{Append, KeyHash, RecordedOutcome};
use uuid::Uuid;

use crate::domain::Domain;
use crate::pending::PendingSubmission;
use crate::seen::SeenFilter;
use crate::submission::{SubmissionOutcome, SubmitError};

/// A batch that is decided and ready for the store.
#[derive(Debug)]
pub(crate) struct PreparedAppend {
    pub append: Append,
    /// The tags of its events.
    pub tags: Vec<Tag>,
    pub recorded_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(crate) struct Batch<D: Domain> {
    items: Vec<Item<D>>,
    /// Submissions that have to wait until this batch is written.
    deferred: Vec<PendingSubmission<D>>,
    /// Whether keys are looked up even if they seem new.
    looks_up_all_keys: bool,
    first_event_id: Option<Uuid>,
}

#[derive(Debug)]
struct Item<D: Domain> {
    pending: PendingSubmission<D>,
    decided: Option<SubmissionOutcome>,
}

impl<D: Domain> Batch<D> {
    /// If several submissions have the same key, only the first is in the batch. The others wait for its outcome.
    pub(crate) fn new(submissions: Vec<PendingSubmission<D>>) -> Batch<D> {
        let mut batch =
            Batch { items: Vec::new(), deferred: Vec::new(), looks_up_all_keys: false, first_event_id: None };
        let mut keys = std::collections::HashSet::new();
        for pending in submissions {
            match &pending.submission.key {
                Some(key) if !keys.insert(key.key) => batch.deferred.push(pending),
                _ => batch.items.push(Item { pending, decided: None }),
            }
        }
        batch
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn into_deferred(self) -> Vec<PendingSubmission<D>> {
        self.deferred
    }

    pub(crate) fn submissions(&self) -> impl Iterator<Item = &PendingSubmission<D>> {
        self.items.iter().map(|item| &item.pending)
    }

    /// The commands of all submissions, in order.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &D::Command> {
        self.submissions().flat_map(|pending| pending.submission.commands.iter())
    }

    /// Stores the decided outcome of each submission, in order.
    pub(crate) fn set_decided(&mut self, outcomes: Vec<SubmissionOutcome>, first_event_id: Option<Uuid>) {
        debug_assert_eq!(self.items.len(), outcomes.len());
        for (item, outcome) in self.items.iter_mut().zip(outcomes) {
            item.decided = Some(outcome);
        }
        self.first_event_id = first_event_id;
    }

    /// The id of the first event of the batch.
    pub(crate) fn first_event_id(&self) -> Option<Uuid> {
        self.first_event_id
    }

    /// Answers every caller. Call it once the decisions are durable.
    pub(crate) fn answer_decided(&mut self, seen: &mut SeenFilter) {
        for mut item in self.items.drain(..) {
            if let Some(key) = item.pending.submission.recorded_key() {
                seen.keys.insert(key.key);
            }
            let outcome = item.decided.ok_or(SubmitError::Internal);
            item.pending.answer(outcome);
        }
    }

    /// Answers and drops the submissions whose callers have waited long enough.
    pub(crate) fn answer_overdue(&mut self, error: &SubmitError) {
        for item in self.items.iter_mut().filter(|item| item.pending.is_overdue()) {
            item.pending.answer(Err(error.clone()));
        }
        self.items.retain(|item| !item.pending.is_answered());
    }

    /// Whether a caller still waits.
    pub(crate) fn is_awaited(&self) -> bool {
        self.items.iter().any(|item| !item.pending.is_overdue())
    }

    /// Drops the submissions that were taken back, and keeps the others from being taken back: they are about to be sent.
    pub(crate) fn begin_sending(&mut self) {
        self.items.retain(|item| item.pending.begin_sending());
    }

    /// Lets submissions be taken back again: nothing was sent.
    pub(crate) fn not_sent(&self) {
        self.items.iter().for_each(|item| item.pending.not_sent());
    }

    /// Asks for more entities to be loaded before this submission is decided again. Returns how often it has asked.
    pub(crate) fn want(&mut self, index: usize, tags: Vec<Tag>) -> u8 {
        self.items[index].pending.want(tags)
    }

    /// Moves the submissions from this one on to the front of the next batch.
    pub(crate) fn defer_from(&mut self, first: usize) {
        let deferred = self.items.drain(first..).map(|item| {
            // It is not part of what is about to be sent.
            item.pending.not_sent();
            item.pending
        });
        self.deferred.splice(0..0, deferred);
    }

    /// Splits a refused batch, so that its submissions are retried one at a time. A single submission is answered with
    /// the error.
    pub(crate) fn isolate(&mut self, error: &SubmitError) {
        match self.items.len() {
            0 => {}
            1 => self.items.drain(..).for_each(|mut item| item.pending.answer(Err(error.clone()))),
            _ => self.defer_from(1),
        }
    }

    /// From now on, keys are looked up even if they seem new.
    pub(crate) fn look_up_all_keys(&mut self) {
        self.looks_up_all_keys = true;
    }

    /// The keys of the batch that may have an outcome already. Those that are left out and have one make the append fail:
    /// see [`RecentKeys`](crate::recent_keys::RecentKeys). A dry run appends nothing, so its key is always looked up.
    pub(crate) fn keys_to_look_up(&self, seen: &mut SeenFilter) -> Vec<KeyHash> {
        self.submissions()
            .filter_map(|pending| Some((pending.submission.key?.key, pending.submission.dry_run)))
            .filter(|(key, dry_run)| self.looks_up_all_keys || *dry_run || seen.keys.may_be_taken(*key))
            .map(|(key, _)| key)
            .collect()
    }

    /// Answers each submission that has a recorded outcome with that outcome.
    pub(crate) fn answer_recorded(&mut self, recorded: &[RecordedOutcome], log_id: Uuid) {
        for item in &mut self.items {
            let Some(key) = item.pending.submission.key else {
                continue;
            };
            let Some(outcome) = recorded.iter().find(|outcome| outcome.key == key.key) else {
                continue;
            };
            item.pending.answer(if outcome.request == key.request_in(log_id) {
                serde_json::from_str(&outcome.outcome).map_err(|error| {
                    tracing::error!(%error, "a recorded outcome is unreadable");
                    SubmitError::Internal
                })
            } else {
                Err(SubmitError::KeyReused)
            });
        }
        self.items.retain(|item| !item.pending.is_answered());
    }
}
