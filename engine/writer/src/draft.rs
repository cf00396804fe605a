//! The draft of a batch: decided events that are in memory only.

use std::cell::RefCell;

use recount_core::{NewEvent, Position, Tag};
use recount_store::{Append, DeadlineChange, NewOutcome};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::batch::PreparedAppend;
use crate::domain::Domain;
use crate::entities::Undo;
use crate::submission::{Accepted, EventRef, Events, Outcome, Refusal, Submission, SubmissionOutcome};
use crate::writer::Writer;

/// A batch that is being decided.
#[derive(Debug)]
pub(crate) struct Draft<'w, D: Domain> {
    pub(crate) writer: &'w mut Writer<D>,
    pub(crate) prepared: PreparedAppend,
}

/// A submission that is being decided: its outcomes and events so far.
#[derive(Debug)]
pub(crate) struct SubmissionDraft<D: Domain> {
    outcomes: Vec<Outcome>,
    events: Vec<NewEvent>,
    tags: Vec<Tag>,
    deadlines: Vec<DeadlineChange>,
    /// Entities that it reads and that are not loaded. If there are any, it is decided again.
    pub(crate) missing: Vec<Tag>,
    pub(crate) undo: Undo<D>,
}

impl<'w, D: Domain> Draft<'w, D> {
    /// An empty draft. The time is read here, once per batch, and never runs backwards in a log.
    pub(crate) fn new(writer: &'w mut Writer<D>) -> Draft<'w, D> {
        let recorded_at = writer.environment.now().max(writer.recorded_at);
        let (hash, frontier) = (writer.tip.hash, writer.frontier.clone());
        let append = Append::new(writer.log, hash, frontier, writer.fence, recorded_at);
        Draft { writer, prepared: PreparedAppend { append, tags: Vec::new(), recorded_at } }
    }

    pub(crate) fn into_prepared(self) -> PreparedAppend {
        self.prepared
    }

    pub(crate) fn first_event_id(&self) -> Option<Uuid> {
        self.prepared.append.first_event_id()
    }

    /// Decides a submission. If it reads entities that are not loaded, returns their tags and drafts nothing.
    pub(crate) fn submission(
        &mut self,
        submission: &Submission<D::Command>,
    ) -> Result<SubmissionOutcome, Vec<Tag>> {
        // A single command that is rejected has drafted nothing. With several commands, the last one may need an entity
        // that is not loaded after the others have drafted events.
        let undo = Undo::new(submission.commands.len() > 1 || submission.dry_run);
        let mut drafted = SubmissionDraft {
            outcomes: Vec::new(),
            events: Vec::new(),
            tags: Vec::new(),
            deadlines: Vec::new(),
            missing: Vec::new(),
            undo,
        };
        let failed = self.commands(submission, &mut drafted);
        if !drafted.missing.is_empty() {
            self.writer.entities.undo(drafted.undo);
            return Err(drafted.missing);
        }
        let mut outcomes = std::mem::take(&mut drafted.outcomes);
        outcomes.drain(..failed.unwrap_or(0));
        if failed.is_some() || submission.dry_run {
            self.writer.entities.undo(drafted.undo);
        } else {
            self.keep(drafted);
        }
        Ok(SubmissionOutcome { position: self.prepared.append.next_tip().position, outcomes, failed })
    }

    /// Adds the events of a submission to the batch.
    fn keep(&mut self, drafted: SubmissionDraft<D>) {
        self.prepared.tags.extend(drafted.tags);
        for event in drafted.events {
            self.prepared.append.push_event(event);
        }
        for change in drafted.deadlines {
            self.prepared.append.push_deadline(change);
        }
    }

    /// Decides the commands of a submission. Returns the index of the command that made it fail.
    ///
    /// If an entity is missing, the commands after it are decided all the same, to find out which other entities are
    /// missing.
    fn commands(
        &mut self,
        submission: &Submission<D::Command>,
        drafted: &mut SubmissionDraft<D>,
    ) -> Option<usize> {
        for (index, command) in submission.commands.iter().enumerate() {
            let Some(outcome) = self.command(command, submission, drafted) else { continue };
            let fails = submission.atomic && matches!(outcome, Outcome::Rejected(_));
            drafted.outcomes.push(outcome);
            if fails && drafted.missing.is_empty() {
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
        drafted: &mut SubmissionDraft<D>,
    ) -> Option<Outcome> {
        let accepted = match self.decision(command, drafted)? {
            Ok(events) if submission.dry_run => self.preview(command, &events, drafted),
            Ok(events) => self.accept(command, events, submission, drafted),
            Err(refusal) => return Some(Outcome::Rejected(refusal)),
        };
        Some(Outcome::Accepted(accepted))
    }

    fn decision(
        &self,
        command: &D::Command,
        drafted: &mut SubmissionDraft<D>,
    ) -> Option<Result<Vec<D::Event>, Refusal>> {
        let missing = RefCell::new(Vec::new());
        let entities = &self.writer.entities;
        let decision =
            D::decide(command, &|tag| entities.find_or_note(tag, &missing), self.prepared.recorded_at);
        let missing = missing.into_inner();
        if !missing.is_empty() {
            drafted.missing.extend(missing);
            return None;
        }
        Some(decision.map_err(|rejection| D::refusal(&rejection)))
    }

    fn accept(
        &mut self,
        command: &D::Command,
        events: Vec<D::Event>,
        submission: &Submission<D::Command>,
        drafted: &mut SubmissionDraft<D>,
    ) -> Accepted {
        let mut refs = Vec::with_capacity(events.len());
        for event in events {
            let position = self.position_after(drafted.events.len());
            let encoded = D::encode(&event);
            // All of them, not only those of new entities: where the filter does not know the segments of before, it has to
            // know of each tag that it is in this one. A tag that is there already takes no room.
            drafted.tags.extend(encoded.tags.iter().cloned());
            self.writer.entities.draft(&encoded, position, &event, &mut drafted.undo);
            drafted.deadlines.extend(D::deadlines(&event));
            let id = self.writer.environment.new_id();
            refs.push(EventRef { position, id, event_type: encoded.event_type.to_owned() });
            drafted.events.push(NewEvent {
                id,
                event_type: encoded.event_type,
                version: encoded.version,
                tags: encoded.tags,
                data: encoded.data,
                meta: submission.meta.clone(),
            });
        }
        let position = Position(self.position_after(drafted.events.len()).0 - 1);
        Accepted { position, events: Events::Happened(refs), answer: members(&D::answer(command)) }
    }

    /// The position of the event that follows this many events of the submission.
    fn position_after(&self, events: usize) -> Position {
        let events = i64::try_from(events).expect("a submission is bounded");
        Position(self.prepared.append.next_tip().position.0 + events).next()
    }

    /// Adds the outcome to the batch, if it has to be recorded.
    pub(crate) fn record(&mut self, submission: &Submission<D::Command>, outcome: &SubmissionOutcome) {
        if let Some(key) = submission.recorded_key() {
            self.prepared.append.push_outcome(NewOutcome {
                key: key.key,
                request: key.request_in(self.writer.log_id),
                outcome: serde_json::to_string(outcome).expect("an outcome has only string keys"),
            });
        }
    }
}

/// The members of an answer or an explanation. One that is no JSON object is a mistake of the domain, which the test kit
/// finds; here it must not cost the command that was decided.
pub(crate) fn members(answer: &impl Serialize) -> Map<String, Value> {
    as_object(answer).unwrap_or_else(|found| {
        tracing::error!(%found, "an answer of the domain is no JSON object and is left out");
        Map::new()
    })
}

/// The value as a JSON object, where null has no members; or what it is instead.
pub(crate) fn as_object(value: &impl Serialize) -> Result<Map<String, Value>, String> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(other.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
