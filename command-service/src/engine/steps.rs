//! The steps of a batch before its commit: recall what has an outcome, load what is needed, decide.

use std::cell::RefCell;

use recount_event_store::{Append, NewOutcome};
use recount_events::{NewEvent, Position, Tag};
use recount_service_kit::{clock, ids};

use super::batch::{Batch, Prepared};
use super::domain::Domain;
use super::entities::{Loading, Undo, Unreadable};
use super::submission::{Accepted, EventRef, Outcome, Submission, SubmissionOutcome};
use super::writer::{Setback, Writer};

/// Rounds of "what else do you need?" before a domain is taken to ask in circles.
const LOAD_ROUNDS_MAX: usize = 8;

/// No snapshot has this version.
const NO_SNAPSHOT: i16 = i16::MIN;

impl<D: Domain> Writer<D> {
    /// Answers the submissions that were made before with what was recorded then.
    pub(super) async fn recall(&mut self, batch: &mut Batch<D>) -> Result<(), Setback> {
        let keys = batch.keys_to_look_up(&mut self.seen);
        if !keys.is_empty() {
            let recorded = self.store.outcomes(self.log, &keys).await?;
            batch.answer_recorded(&recorded);
        }
        Ok(())
    }

    /// Brings every entity that the commands of the batch read into memory: those that are not there with one query.
    pub(super) async fn load(&mut self, batch: &Batch<D>) -> Result<(), Setback> {
        for round in 0..LOAD_ROUNDS_MAX {
            let mut more = false;
            let mut missing: Vec<Tag> = Vec::new();
            let asked = batch.commands().filter(|command| round == 0 || D::needs_more_when_loaded(command));
            for command in asked {
                for tag in D::needs(command, &|tag| self.entities.find(tag)) {
                    if self.entities.is_pinned(&tag) {
                        continue;
                    }
                    more |= D::needs_more_when_loaded(command);
                    if !self.entities.pin_kept(&tag) {
                        if self.seen.tag_is_new(&tag) {
                            self.entities.pin_new(tag);
                        } else {
                            missing.push(tag);
                        }
                    }
                }
            }
            if !missing.is_empty() {
                missing.sort_unstable();
                missing.dedup();
                self.load_missing(&missing).await?;
            }
            if !more {
                return Ok(());
            }
        }
        Err(Setback::Refused("a command needs entities without end".to_owned()))
    }

    async fn load_missing(&mut self, missing: &[Tag]) -> Result<(), Setback> {
        metrics::counter!("recount_entities_loaded_total").increment(missing.len() as u64);
        let loaded = match self.load_with(missing, D::SNAPSHOT_VERSION).await {
            Err(Unreadable::Snapshot(error)) => {
                tracing::warn!(log = self.log.0, %error, "a snapshot cannot be read; the events are read instead");
                self.load_with(missing, NO_SNAPSHOT).await
            }
            loaded => loaded,
        };
        match loaded {
            Ok(loading) => {
                self.entities.pin_loaded(loading);
                Ok(())
            }
            Err(Unreadable::Store(error)) => Err(error.into()),
            Err(Unreadable::Event(error)) => Err(Setback::Refused(error.to_string())),
            Err(Unreadable::Snapshot(error)) => Err(Setback::Refused(error.to_string())),
        }
    }

    async fn load_with(&self, missing: &[Tag], snapshot_version: i16) -> Result<Loading<D>, Unreadable> {
        let mut loading = Loading::<D>::new(missing);
        self.store.load_entities(self.log, missing, snapshot_version, |row| loading.take(row)).await?;
        Ok(loading)
    }

    /// Decides the commands of the batch one after another, each on what those before it did.
    pub(super) fn decide(&mut self, batch: &mut Batch<D>) -> Result<Prepared, Setback> {
        let recorded_at = clock::now().max(self.recorded_at);
        let append = Append::new(self.log, self.head, self.fence, recorded_at);
        let mut draft =
            Draft { writer: self, prepared: Prepared { append, new_tags: Vec::new(), recorded_at } };
        let mut outcomes = Vec::new();
        let mut undecided = None;
        let mut first_event_id = None;
        for (index, waiting) in batch.submissions().enumerate() {
            let Some(outcome) = draft.submission(&waiting.submission) else {
                undecided = Some(index);
                break;
            };
            first_event_id = first_event_id.or_else(|| draft.prepared.append.first_event_id());
            draft.record(&waiting.submission, &outcome);
            outcomes.push(outcome);
        }
        let prepared = draft.prepared;
        match undecided {
            // It reads an entity that was not loaded, because of what an earlier one in this batch did: in the next
            // batch that is in the log. The first one has none before it, so its domain does not name what it reads.
            Some(0) => {
                return Err(Setback::Refused("a decision read an entity that it did not name".to_owned()));
            }
            Some(index) => batch.defer_from(index),
            None => {}
        }
        batch.set_decided(outcomes, first_event_id);
        Ok(prepared)
    }
}

/// A batch that is being decided.
struct Draft<'w, D: Domain> {
    writer: &'w mut Writer<D>,
    prepared: Prepared,
}

/// What a submission has come to so far.
struct Progress<D: Domain> {
    outcomes: Vec<Outcome>,
    events: Vec<NewEvent>,
    new_tags: Vec<Tag>,
    undo: Undo<D>,
}

impl<D: Domain> Draft<'_, D> {
    /// Decides a submission; `None`, and nothing drafted, if it reads an entity that is not loaded.
    fn submission(&mut self, submission: &Submission<D::Command>) -> Option<SubmissionOutcome> {
        // A single command that is rejected has drafted nothing, but one that turns out to miss an entity may come
        // after others of its submission.
        let mut progress = Progress {
            outcomes: Vec::new(),
            events: Vec::new(),
            new_tags: Vec::new(),
            undo: Undo::new(submission.commands.len() > 1),
        };
        for (index, command) in submission.commands.iter().enumerate() {
            let Some(outcome) = self.command(command, submission, &mut progress) else {
                self.writer.entities.undo(progress.undo);
                return None;
            };
            if submission.atomic && matches!(outcome, Outcome::Rejected(_)) {
                self.writer.entities.undo(progress.undo);
                let position = self.prepared.append.next_position();
                return Some(SubmissionOutcome { position, outcomes: vec![outcome], failed: Some(index) });
            }
            progress.outcomes.push(outcome);
        }
        self.prepared.new_tags.extend(progress.new_tags);
        for event in progress.events {
            self.prepared.append.push_event(event);
        }
        let position = self.prepared.append.next_position();
        Some(SubmissionOutcome { position, outcomes: progress.outcomes, failed: None })
    }

    fn command(
        &mut self,
        command: &D::Command,
        submission: &Submission<D::Command>,
        progress: &mut Progress<D>,
    ) -> Option<Outcome> {
        let missed = RefCell::new(Vec::new());
        let entities = &self.writer.entities;
        let decision =
            D::decide(command, &|tag| entities.find_noting(tag, &missed), self.prepared.recorded_at);
        if !missed.into_inner().is_empty() {
            return None;
        }
        let events = match decision {
            Ok(events) => events,
            Err(rejection) => return Some(Outcome::Rejected(D::refusal(&rejection))),
        };
        let mut refs = Vec::with_capacity(events.len());
        for event in events {
            let position = self.position_after(progress.events.len());
            let encoded = D::encode(&event);
            let new = encoded.tags.iter().filter(|tag| self.writer.entities.find(tag).is_none());
            progress.new_tags.extend(new.cloned());
            self.writer.entities.draft(&encoded.tags, position, &event, &mut progress.undo);
            let id = ids::new_id();
            refs.push(EventRef { position, id, event_type: encoded.event_type.to_owned() });
            progress.events.push(NewEvent {
                id,
                event_type: encoded.event_type,
                version: encoded.version,
                tags: encoded.tags,
                data: encoded.data,
                meta: submission.meta.clone(),
            });
        }
        let position = Position(self.position_after(progress.events.len()).0 - 1);
        Some(Outcome::Accepted(Accepted { position, events: refs, answer: D::answer(command) }))
    }

    /// The position of the event that follows this many of the submission.
    fn position_after(&self, events: usize) -> Position {
        let events = i64::try_from(events).expect("a submission is bounded");
        Position(self.prepared.append.next_position().0 + events).next()
    }

    /// Keeps the outcome with the batch, if the submission has a key.
    fn record(&mut self, submission: &Submission<D::Command>, outcome: &SubmissionOutcome) {
        if let Some(key) = submission.key {
            self.prepared.append.push_outcome(NewOutcome {
                key: key.key,
                request: key.request,
                position: outcome.position,
                outcome: serde_json::to_string(outcome).expect("an outcome has only string keys"),
            });
        }
    }
}
