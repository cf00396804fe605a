//! A batch while it is being decided: what its submissions have come to, in memory only.

use std::cell::RefCell;

use recount_event_store::{Append, DeadlineChange, NewOutcome};
use recount_events::{NewEvent, Position, Tag};
use recount_service_kit::{clock, ids};
use uuid::Uuid;

use super::batch::Prepared;
use super::domain::Domain;
use super::entities::Undo;
use super::submission::{Accepted, EventRef, Events, Outcome, Refusal, Submission, SubmissionOutcome};
use super::writer::Writer;

/// A batch that is being decided.
#[derive(Debug)]
pub(super) struct Draft<'w, D: Domain> {
    pub(super) writer: &'w mut Writer<D>,
    pub(super) prepared: Prepared,
}

/// What a submission has come to so far.
#[derive(Debug)]
pub(super) struct Progress<D: Domain> {
    outcomes: Vec<Outcome>,
    events: Vec<NewEvent>,
    new_tags: Vec<Tag>,
    deadlines: Vec<DeadlineChange>,
    /// Entities that it reads and that are not loaded. If there are any, it is decided again.
    pub(super) missed: Vec<Tag>,
    pub(super) undo: Undo<D>,
}

impl<'w, D: Domain> Draft<'w, D> {
    /// Nothing is decided yet. Time is taken here, once for the batch, and never runs backwards in a log.
    pub(super) fn new(writer: &'w mut Writer<D>) -> Draft<'w, D> {
        let recorded_at = clock::now().max(writer.recorded_at);
        let append = Append::new(writer.log, writer.head, writer.fence, recorded_at);
        Draft { writer, prepared: Prepared { append, new_tags: Vec::new(), recorded_at } }
    }

    pub(super) fn into_prepared(self) -> Prepared {
        self.prepared
    }

    pub(super) fn first_event_id(&self) -> Option<Uuid> {
        self.prepared.append.first_event_id()
    }

    /// Decides a submission. If it reads entities that are not loaded, answers which, and nothing is drafted.
    pub(super) fn submission(
        &mut self,
        submission: &Submission<D::Command>,
    ) -> Result<SubmissionOutcome, Vec<Tag>> {
        // A single command that is rejected has drafted nothing, but one that turns out to miss an entity may come
        // after others of its submission.
        let undo = Undo::new(submission.commands.len() > 1 || submission.dry_run);
        let mut progress = Progress {
            outcomes: Vec::new(),
            events: Vec::new(),
            new_tags: Vec::new(),
            deadlines: Vec::new(),
            missed: Vec::new(),
            undo,
        };
        let failed = self.commands(submission, &mut progress);
        if !progress.missed.is_empty() {
            self.writer.entities.undo(progress.undo);
            return Err(progress.missed);
        }
        let mut outcomes = std::mem::take(&mut progress.outcomes);
        outcomes.drain(..failed.unwrap_or(0));
        if failed.is_some() || submission.dry_run {
            self.writer.entities.undo(progress.undo);
        } else {
            self.keep(progress);
        }
        Ok(SubmissionOutcome { position: self.prepared.append.next_position(), outcomes, failed })
    }

    /// Puts what a submission came to into the batch.
    fn keep(&mut self, progress: Progress<D>) {
        self.prepared.new_tags.extend(progress.new_tags);
        for event in progress.events {
            self.prepared.append.push_event(event);
        }
        for change in progress.deadlines {
            self.prepared.append.push_deadline(change);
        }
    }

    /// Decides the commands of a submission. Answers the index of the one that made it fail.
    ///
    /// What comes after a command that misses an entity is decided on a guess, to find out what else is missing.
    fn commands(&mut self, submission: &Submission<D::Command>, progress: &mut Progress<D>) -> Option<usize> {
        for (index, command) in submission.commands.iter().enumerate() {
            let Some(outcome) = self.command(command, submission, progress) else { continue };
            let fails = submission.atomic && matches!(outcome, Outcome::Rejected(_));
            progress.outcomes.push(outcome);
            if fails && progress.missed.is_empty() {
                return Some(index);
            }
        }
        None
    }

    /// Decides a command; `None` if it reads an entity that is not loaded.
    fn command(
        &mut self,
        command: &D::Command,
        submission: &Submission<D::Command>,
        progress: &mut Progress<D>,
    ) -> Option<Outcome> {
        let accepted = match self.decision(command, progress)? {
            Ok(events) if submission.dry_run => self.preview(command, &events, progress),
            Ok(events) => self.accept(command, events, submission, progress),
            Err(refusal) => return Some(Outcome::Rejected(refusal)),
        };
        Some(Outcome::Accepted(accepted))
    }

    fn decision(
        &self,
        command: &D::Command,
        progress: &mut Progress<D>,
    ) -> Option<Result<Vec<D::Event>, Refusal>> {
        let missed = RefCell::new(Vec::new());
        let entities = &self.writer.entities;
        let decision =
            D::decide(command, &|tag| entities.find_noting(tag, &missed), self.prepared.recorded_at);
        let missed = missed.into_inner();
        if !missed.is_empty() {
            progress.missed.extend(missed);
            return None;
        }
        Some(decision.map_err(|rejection| D::refusal(&rejection)))
    }

    fn accept(
        &mut self,
        command: &D::Command,
        events: Vec<D::Event>,
        submission: &Submission<D::Command>,
        progress: &mut Progress<D>,
    ) -> Accepted {
        let mut refs = Vec::with_capacity(events.len());
        for event in events {
            let position = self.position_after(progress.events.len());
            let encoded = D::encode(&event);
            let new = encoded.tags.iter().filter(|tag| self.writer.entities.find(tag).is_none());
            progress.new_tags.extend(new.cloned());
            self.writer.entities.draft(&encoded.tags, position, &event, &mut progress.undo);
            progress.deadlines.extend(D::deadlines(&event));
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
        Accepted { position, events: Events::Happened(refs), answer: D::answer(command) }
    }

    /// The position of the event that follows this many of the submission.
    fn position_after(&self, events: usize) -> Position {
        let events = i64::try_from(events).expect("a submission is bounded");
        Position(self.prepared.append.next_position().0 + events).next()
    }

    /// Keeps the outcome with the batch, if it is to be recorded.
    pub(super) fn record(&mut self, submission: &Submission<D::Command>, outcome: &SubmissionOutcome) {
        if let Some(key) = submission.recorded_key() {
            self.prepared.append.push_outcome(NewOutcome {
                key: key.key,
                request: key.request,
                position: outcome.position,
                outcome: serde_json::to_string(outcome).expect("an outcome has only string keys"),
            });
        }
    }
}
