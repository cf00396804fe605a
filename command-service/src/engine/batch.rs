//! The batch in hand: submissions that are decided and committed together, and what became of each.

use chrono::{DateTime, Utc};
use recount_event_store::{Append, KeyHash, RecordedOutcome};
use recount_events::Tag;
use uuid::Uuid;

use super::domain::Domain;
use super::seen::SeenFilter;
use super::submission::{SubmissionOutcome, SubmitError};
use super::waiting::Waiting;

/// A batch that has been decided and is ready for the store.
#[derive(Debug)]
pub(super) struct Prepared {
    pub append: Append,
    /// The tags of its events that name something new.
    pub new_tags: Vec<Tag>,
    pub recorded_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct Batch<D: Domain> {
    items: Vec<Item<D>>,
    /// Submissions that have to wait for what this batch writes.
    deferred: Vec<Waiting<D>>,
    /// Whether keys that seem new are looked up all the same.
    distrusts_filter: bool,
    first_event_id: Option<Uuid>,
}

#[derive(Debug)]
struct Item<D: Domain> {
    waiting: Waiting<D>,
    decided: Option<SubmissionOutcome>,
}

impl<D: Domain> Batch<D> {
    /// Of several submissions with one key the first is in the batch; the others wait for its outcome.
    pub(super) fn new(waiting: Vec<Waiting<D>>) -> Batch<D> {
        let mut batch =
            Batch { items: Vec::new(), deferred: Vec::new(), distrusts_filter: false, first_event_id: None };
        let mut keys = std::collections::HashSet::new();
        for waiting in waiting {
            match &waiting.submission.key {
                Some(key) if !keys.insert(key.key) => batch.deferred.push(waiting),
                _ => batch.items.push(Item { waiting, decided: None }),
            }
        }
        batch
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn into_deferred(self) -> Vec<Waiting<D>> {
        self.deferred
    }

    pub(super) fn submissions(&self) -> impl Iterator<Item = &Waiting<D>> {
        self.items.iter().map(|item| &item.waiting)
    }

    /// The commands of all submissions, in order.
    pub(super) fn commands(&self) -> impl Iterator<Item = &D::Command> {
        self.submissions().flat_map(|waiting| waiting.submission.commands.iter())
    }

    /// Keeps what was decided of each submission, in order.
    pub(super) fn set_decided(&mut self, outcomes: Vec<SubmissionOutcome>, first_event_id: Option<Uuid>) {
        debug_assert_eq!(self.items.len(), outcomes.len());
        for (item, outcome) in self.items.iter_mut().zip(outcomes) {
            item.decided = Some(outcome);
        }
        self.first_event_id = first_event_id;
    }

    /// Which event of the batch would be the first in the log.
    pub(super) fn first_event_id(&self) -> Option<Uuid> {
        self.first_event_id
    }

    /// Tells every caller what was decided: it is durable.
    pub(super) fn answer_decided(&mut self, seen: &mut SeenFilter) {
        for mut item in self.items.drain(..) {
            if let Some(key) = item.waiting.submission.recorded_key() {
                seen.insert_key(key.key);
            }
            let outcome = item.decided.ok_or(SubmitError::Internal);
            item.waiting.answer(outcome);
        }
    }

    /// Lets go of the submissions whose callers have waited long enough.
    pub(super) fn answer_overdue(&mut self, is_overdue: impl Fn(&Waiting<D>) -> bool, error: &SubmitError) {
        for item in self.items.iter_mut().filter(|item| is_overdue(&item.waiting)) {
            item.waiting.answer(Err(error.clone()));
        }
        self.items.retain(|item| !item.waiting.is_answered());
    }

    /// Has these loaded as well before this submission is decided again. Answers how often that has been so.
    pub(super) fn want(&mut self, index: usize, tags: Vec<Tag>) -> u8 {
        self.items[index].waiting.want(tags)
    }

    /// Puts the submissions from this one on off to the next batch, before all others.
    pub(super) fn defer_from(&mut self, first: usize) {
        let deferred = self.items.drain(first..).map(|item| item.waiting);
        self.deferred.splice(0..0, deferred);
    }

    /// Tries a batch that was refused with one submission at a time; that one is answered if it is alone already.
    pub(super) fn isolate(&mut self, error: &SubmitError) {
        match self.items.len() {
            0 => {}
            1 => self.items.drain(..).for_each(|mut item| item.waiting.answer(Err(error.clone()))),
            _ => self.defer_from(1),
        }
    }

    /// From now on keys are looked up even if they seem new.
    pub(super) fn look_up_all_keys(&mut self) {
        self.distrusts_filter = true;
    }

    /// The keys of the batch that may have an outcome already.
    ///
    /// That of a dry run may have one even if it seems new: nothing is recorded that would meet the one of another
    /// process.
    pub(super) fn keys_to_look_up(&self, seen: &mut SeenFilter) -> Vec<KeyHash> {
        self.submissions()
            .filter_map(|waiting| Some((waiting.submission.key?.key, waiting.submission.dry_run)))
            .filter(|(key, dry_run)| self.distrusts_filter || *dry_run || !seen.key_is_new(*key))
            .map(|(key, _)| key)
            .collect()
    }

    /// Answers the submissions whose outcome is recorded with that outcome.
    pub(super) fn answer_recorded(&mut self, recorded: &[RecordedOutcome]) {
        for item in &mut self.items {
            let Some(key) = item.waiting.submission.key else {
                continue;
            };
            let Some(outcome) = recorded.iter().find(|outcome| outcome.key == key.key) else {
                continue;
            };
            item.waiting.answer(if outcome.request == key.request {
                serde_json::from_str(&outcome.outcome).map_err(|error| {
                    tracing::error!(%error, "a recorded outcome is unreadable");
                    SubmitError::Internal
                })
            } else {
                Err(SubmitError::KeyReused)
            });
        }
        self.items.retain(|item| !item.waiting.is_answered());
    }
}
